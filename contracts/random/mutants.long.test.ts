import { describe, expect, it } from 'vitest'
import { rememberTableEntries } from './fast-table.ts'
import { hunt, MUTANTS } from './mutants.ts'

rememberTableEntries()

/** By 25 all but one mistake are found: it takes a few more. */
const SEQUENCES = 60

describe('the random tester finds', () => {
  for (const mutant of MUTANTS) {
    it(`${mutant.contract}: ${mutant.mistake}`, async () => {
      expect((await hunt(mutant, 'model', 1, SEQUENCES))?.cause).toHaveProperty('name', 'Violation')
    })
  }
})

// Without the model: what the contracts do is taken as it is, and only who has how much is looked at.
describe('the books alone find', () => {
  for (const mutant of MUTANTS.filter(({ costs }) => costs)) {
    it(`${mutant.contract}: ${mutant.mistake}`, async () => {
      expect((await hunt(mutant, 'books', 1, SEQUENCES))?.cause).toHaveProperty('name', 'Violation')
    })
  }
})
