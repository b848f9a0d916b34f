// Follows a devnet with the official client, a fork included, and asks its ledger. Prints what it saw as JSON.
// node typescript.mjs HOST PORT BLOCKS ADDRESS
import ogmios from '@cardano-ogmios/client'

const [host, port, blocks, address] = process.argv.slice(2)
const fail = (error) => { console.error(error); process.exit(1) }
const context = async () =>
  ogmios.createInteractionContext(fail, () => {}, { connection: { host, port: Number(port) } })

const ledger = await ogmios.createLedgerStateQueryClient(await context())
const seen = {
  height: Number(await ledger.networkBlockHeight()),
  feeConstant: Number((await ledger.protocolParameters()).minFeeConstant.ada.lovelace),
  lovelace: (await ledger.utxo({ addresses: [address] })).map((each) => Number(each.value.ada.lovelace)),
  ids: [],
  rollbacks: 0,
  transactions: 0
}

const client = await ogmios.createChainSynchronizationClient(await context(), {
  rollBackward: async (_, requestNext) => {
    seen.rollbacks += 1
    requestNext()
  },
  rollForward: async ({ block }, requestNext) => {
    seen.ids.push(block.id)
    seen.transactions += (block.transactions ?? []).length
    if (seen.ids.length >= Number(blocks)) {
      console.log(JSON.stringify(seen))
      process.exit(0)
    }
    requestNext()
  }
})
await client.resume(['origin'], 10)
