/**
 * `node scripts/flame-graph.ts <in.cpuprofile> <out.svg> --title <text> [--last-ms 5000] [--end-ms 1000]`: draws a CPU profile of V8 as a flame
 * graph. The width of a frame is its share of the time in which the thread was not idle; who called whom is read from below. The same profile gives
 * the same bytes.
 *
 *   --last-ms  so much of the profile's end is drawn, so that the start of the program is left out
 *   --end-ms   and so much of its very end is left out too, when the program was being stopped
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Flame, flameOf, type Profile, svgOf } from './flame-graph/flame.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    title: { type: 'string', default: 'CPU profile' },
    'last-ms': { type: 'string', default: '5000' },
    'end-ms': { type: 'string', default: '1000' },
  },
})
const [from, to] = positionals
if (from === undefined || to === undefined) throw new Error('which profile, and where to?')
const profile = JSON.parse(readFileSync(from, 'utf8')) as Profile
const flame: Flame = flameOf(profile, { lastMs: Number(values['last-ms']), endMs: Number(values['end-ms']) })
writeFileSync(to, svgOf(flame, values.title))
console.log(`${to}: ${Math.round(flame.us / 1000)} ms of work`)
