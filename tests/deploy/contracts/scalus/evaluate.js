// Judges one transaction a line: JSON in, JSON out. Hex for bytes, decimal text for units.
const { Scalus, SlotConfig } = require("scalus");
const readline = require("node:readline");

function judged(request) {
  const slots = new SlotConfig(request.zeroTimeMs, request.zeroSlot, request.slotMs);
  const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
  try {
    const models = [[], [], request.costModel];
    const redeemers = Scalus.evalPlutusScripts(bytes(request.transaction), bytes(request.outputs), slots, models);
    const units = redeemers.map((each) => [each.tag, each.index, String(each.budget.memory), String(each.budget.steps)]);
    return { units };
  } catch (error) {
    return { refused: String(error.message ?? error), logs: error.logs ?? [] };
  }
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify(judged(JSON.parse(line))) + "\n");
});
