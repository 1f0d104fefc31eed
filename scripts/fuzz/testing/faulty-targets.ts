import type { FuzzTarget } from '../target.ts'

const good = Uint8Array.of(1, 2, 3, 4)
const broken = (name: string, run: (input: Uint8Array) => void): FuzzTarget => ({
  name,
  regressions: 'scripts/fuzz/testing/none.json',
  corpus: [good],
  dictionary: [],
  run,
})

function burn(ms: number): void {
  const until = process.threadCpuUsage().user + ms * 1_000
  while (process.threadCpuUsage().user < until) Math.random()
}

const leaked: Uint8Array[] = []
let slowOnce = true

/** Readers with every fault that the search must find. */
export const fuzzTargets: readonly FuzzTarget[] = [
  broken('sound', () => undefined),
  broken('throws', (input) => {
    if (input[0] === 0xff) throw new TypeError('cannot read the first byte')
  }),
  broken('slow', (input) => {
    if (input[0] !== 1 && slowOnce) {
      slowOnce = false
      burn(1_300)
    }
  }),
  broken('hangs', (input) => {
    while (input[0] === 0xff) Math.random()
  }),
  broken('leaks', (input) => {
    if (input[0] !== 1) leaked.push(new Uint8Array(1 << 16).fill(1))
  }),
  broken('eats', (input) => {
    if (input[0] !== 0xff) return
    // In small steps: a large one beyond the limit of a thread would end the whole process.
    for (let all = {}; ; ) all = { all }
  }),
]
