import { Failure, type Plan, play } from './sequence.ts'

/**
 * Leaves out operations for as long as the sequence still fails, at most until `untilMs` (of `Date.now`). What is left fails
 * too, though not always for the same reason.
 */
export async function shrink(plan: Plan, failure: Failure, untilMs: number): Promise<Failure> {
  let smallest = failure
  for (let chunk = Math.ceil(failure.played.length / 2); chunk >= 1; chunk = chunk === 1 ? 0 : Math.ceil(chunk / 2)) {
    for (let from = 0; from < smallest.played.length; ) {
      if (Date.now() > untilMs) return smallest
      const left = smallest.played.filter((_, index) => index < from || index >= from + chunk)
      const failed = await fails({ ...plan, only: new Set(left) })
      if (failed === null) from += chunk
      else smallest = failed
    }
  }
  return smallest
}

async function fails(plan: Plan): Promise<Failure | null> {
  try {
    await play(plan)
    return null
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}

/** What to print: how to see it again, and what was done. */
export function report(failure: Failure, smallest: Failure): string {
  const cause = failure.cause instanceof Error && failure.cause.name !== 'Violation' ? `\n${failure.cause.stack}` : ''
  return [
    `Seed ${failure.seed}: ${failure.message}${cause}`,
    `Again: npm run test:contracts:long -- --seed ${failure.seed} --sequences 1`,
    `The last operations of ${failure.played.length}:`,
    ...failure.log.slice(-8).map((line) => `  ${line}`),
    `With ${smallest.played.length} operations (only ${smallest.played.join(',')}): ${smallest.message}`,
    ...smallest.log.slice(-40).map((line) => `  ${line}`),
  ].join('\n')
}
