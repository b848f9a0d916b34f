// Follows a feed with the official client and prints how many blocks it read in how many seconds.
// node follow.mjs HOST PORT FRAMES SECONDS
import ogmios from '@cardano-ogmios/client'

const IN_FLIGHT = 100
const [host, port, frames, seconds] = process.argv.slice(2)

const context = await ogmios.createInteractionContext(
  (error) => { throw error },
  () => {},
  { connection: { host, port: Number(port) } }
)

let done = 0
let began = 0
const finish = () => {
  const spent = (performance.now() - began) / 1000
  console.log(JSON.stringify({ frames: done, seconds: spent }))
  process.exit(0)
}

// As the client's own examples do it: in order, each block asking for another.
const client = await ogmios.createChainSynchronizationClient(context, {
  rollBackward: async (_, requestNext) => {
    began = performance.now()
    requestNext()
  },
  rollForward: async (_, requestNext) => {
    done += 1
    if (done >= Number(frames) || performance.now() - began >= Number(seconds) * 1000) finish()
    requestNext()
  }
})
await client.resume(['origin'], IN_FLIGHT)
