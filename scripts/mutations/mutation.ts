/** One check that is taken out of the code, and the test that must notice. */
export interface Mutation {
  /** What is no longer checked, in a few words; a name of its own. */
  readonly name: string
  /** Source, from the top of the project. */
  readonly file: string
  /** Text that stands in the source exactly once. */
  readonly find: string
  readonly replace: string
  /** Test file, from the top of the project. */
  readonly testFile: string
  /** Whole name of the test, groups in front with a space between. */
  readonly test: string
}

export type MutationRow = readonly [name: string, test: string, find: string, replace: string]

/** Mutations of one source that one file of tests must notice; `group` begins their names. */
export const mutationsOf = (group: string, file: string, testFile: string, rows: readonly MutationRow[]): Mutation[] =>
  rows.map(([name, test, find, replace]) => ({ name: `${group}, ${file}: ${name}`, file, find, replace, testFile, test }))
