import { describe, expect, it } from 'vitest'
import { rememberTableEntries } from './fast-table.ts'
import { hunt, MUTANTS, placesOf } from './mutants.ts'

rememberTableEntries()

// A few mistakes that the tester finds soon; the others take longer (mutants.long.test.ts).
const QUICK = [
  'a charge may be repeated',
  'a refused top up is kept on the books',
  'a payout may be repeated',
  "rent comes out of the clients' money",
  'a change of terms keeps their version',
]

describe('the random tester finds', () => {
  for (const mutant of MUTANTS.filter(({ mistake }) => QUICK.includes(mistake))) {
    it(`${mutant.contract}: ${mutant.mistake}`, async () => {
      const failure = await hunt(mutant, 'model', 1, 6)
      expect(failure?.cause).toHaveProperty('name', 'Violation')
    })
  }

  it('has a place in the source for every mutant', () => {
    expect(MUTANTS.filter((mutant) => placesOf(mutant) !== 1)).toEqual([])
  })

  it('has a mutant for each contract', () => {
    const quick = MUTANTS.filter(({ mistake }) => QUICK.includes(mistake))
    expect(quick.map(({ contract }) => contract)).toEqual(expect.arrayContaining(['client', 'worker', 'proxy', 'root']))
    expect(quick).toHaveLength(QUICK.length)
  })
})
