import type { Random } from './random.ts'

/** Something that reads what a stranger sent. */
export interface FuzzTarget {
  readonly name: string
  /** Where inputs that once broke it are kept, beside its code; relative to the project. */
  readonly regressions: string
  /** Good inputs, to be spoiled. */
  readonly corpus: readonly Uint8Array[]
  /** Pieces that mean something to it. */
  readonly dictionary: readonly Uint8Array[]
  /** A mutation that knows the structure, where bytes alone rarely pass the first check. Used for half of the inputs. */
  readonly grow?: (random: Random) => Uint8Array
  /** Reads an input as the product does. Returns when it was taken, or refused with an error that is meant for that; throws for anything else. */
  readonly run: (input: Uint8Array) => void
}

/** Runs a reader; an error of these classes is a refusal. Undefined when it was refused. */
export function refusing<T>(read: () => T, ...refusals: readonly (abstract new (...args: never[]) => Error)[]): T | undefined {
  try {
    return read()
  } catch (error) {
    if (refusals.some((refusal) => error instanceof refusal)) return undefined
    throw error
  }
}

/** The input in pieces whose sizes it says itself. */
export function* piecesOf(input: Uint8Array): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < input.length; i++) {
    const size = 1 + ((input[(i * 7) % input.length] ?? 0) & (i % 3 === 0 ? 3 : 63))
    yield input.subarray(at, at + size)
    at += size
  }
}
