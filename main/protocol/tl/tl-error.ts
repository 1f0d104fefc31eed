import { Failure } from '../../base/failure.ts'

export type TlErrorCode =
  /** The id is not in the schema, or not one of those that may stand here. */
  | 'tl-unexpected-constructor'
  /** The bytes end before the object does; also a length or count that points beyond them. */
  | 'tl-truncated'
  /** Bytes are left after the object. */
  | 'tl-leftover'
  /** A string is not UTF-8. */
  | 'tl-bad-text'
  /** A vector has more elements than this program will hold. */
  | 'tl-too-many'
  /** The value given to `encode` does not fit the schema. */
  | 'tl-bad-value'

/** Bytes that are no TL object, or a value that cannot become one. The message names types and fields, never contents. */
export class TlError extends Failure<TlErrorCode> {
  /** Where in the bytes the reader stood; undefined when writing. */
  readonly offset: number | undefined

  constructor(code: TlErrorCode, message: string, offset?: number) {
    super(code, offset === undefined ? message : `${message} at ${offset}`)
    this.name = 'TlError'
    this.offset = offset
  }
}
