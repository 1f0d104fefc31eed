/**
 * `npm run bench:pow`: hashes per second of the proof of work as a dialling client does it, in a thread of its own, and what that means for the
 * difficulties that are accepted. `--seconds N` of work. Beside the clock it counts processor time, which says what the thread would do on a core
 * of its own, however busy the computer is. Fails below 3 million hashes per second of processor time.
 */
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { createChallenge, mostDifficulty, solve } from '../main/protocol/wire/proof-of-work.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' } } })
const wantedRate = 3e6
/** Hard enough that the start of the thread hardly counts, easy enough for many of them. */
const difficulty = 22

let hashes = 0
let took = 0
let cpuMs = 0
let puzzles = 0
while (took < Number(values.seconds) * 1000) {
  const startedAt = performance.now()
  const cpuBefore = process.cpuUsage()
  const response = await solve(createChallenge(difficulty), { budgetMs: 600_000 })
  const cpu = process.cpuUsage(cpuBefore)
  // The search begins at nonce 0.
  const tried = Number(new DataView(response.buffer).getBigInt64(4, true)) + 1
  hashes += tried
  took += performance.now() - startedAt
  cpuMs += (cpu.user + cpu.system) / 1000
  puzzles++
}
const rate = (hashes / cpuMs) * 1000
const million = (perSecond: number): string => (perSecond / 1e6).toFixed(2)
console.log(`${cpus()[0]?.model.trim()}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`)
console.log(
  `${puzzles} puzzles of difficulty ${difficulty}, the start of the thread included: ${million(rate)} million hashes per second of processor time, ${million((hashes / took) * 1000)} by the clock`,
)
for (const bits of [16, 20, 22, mostDifficulty])
  console.log(`Difficulty ${bits}: ${(2 ** bits / rate).toFixed(2)} s on average on a free core`)
if (rate < wantedRate) {
  console.error(`Less than ${million(wantedRate)} million hashes/s.`)
  process.exit(1)
}
