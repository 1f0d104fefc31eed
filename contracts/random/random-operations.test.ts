import { expect, it } from 'vitest'
import { contractCode } from '../code.ts'
import { rememberTableEntries } from './fast-table.ts'
import { Failure, play } from './sequence.ts'
import { report, shrink } from './shrink.ts'

rememberTableEntries()

const SEQUENCES = 21
const OPERATIONS = 100

// The same operations each time, so that a change that breaks something fails where it was made. Others: SEED=n.
it('does what the model says, and gives nobody what is not theirs', async () => {
  const firstSeed = Number(process.env.SEED ?? 1)
  const seen = new Map<string, number>()
  let operations = 0
  for (let seed = firstSeed; seed < firstSeed + SEQUENCES; seed += 1) {
    const plan = { seed, operations: OPERATIONS, codes: contractCode }
    try {
      const played = await play(plan)
      operations += played.operations
      for (const [name, count] of played.seen) seen.set(name, (seen.get(name) ?? 0) + count)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      throw new Error(report(error, await shrink(plan, error, Date.now() + 20_000)))
    }
  }
  expect(operations).toBeGreaterThanOrEqual(2_000)
  // Every contract has done something, refused something for many reasons, and ignored something.
  for (const kind of ['root', 'proxy', 'client', 'worker', 'wallet']) {
    expect(seen.get(`${kind} done`), kind).toBeGreaterThan(20)
    expect(seen.get(`${kind} ignored`), kind).toBeGreaterThan(3)
    expect([...seen.keys()].filter((name) => /[1-9]\d{3}$/.test(name) && name.startsWith(kind)).length, kind).toBeGreaterThan(2)
  }
})
