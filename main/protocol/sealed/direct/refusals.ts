/** How every refusal that concerns a seal begins on the wire, so that clients of any version know it by its text (docs/protocol-extensions.md). */
export const sealedQuery = 'sealed query:'

/** Refusals of a proxy that keeps to the key that a client named. */
export const pinRefusals = {
  /** 651; ask for the keys again. A worker that does not hold the key says the same. */
  gone: `${sealedQuery} the worker of this key is not here`,
  /** 651; ask again, or choose another key. */
  full: `${sealedQuery} the worker of this key has no place now`,
  /** 621 */
  disagrees: `${sealedQuery} the head says something else than the query`,
} as const

/** A worker's error that only the client can read: base64 of sealed bytes behind these words. */
export const sealedErrorWords = 'sealed error '

/** The sealed bytes in the text of an error; undefined where there are none. */
export function sealedErrorIn(text: string): Uint8Array | undefined {
  const found = /\bsealed error ([A-Za-z0-9+/]{100,3600}={0,2})$/.exec(text)?.[1]
  return found === undefined ? undefined : new Uint8Array(Buffer.from(found, 'base64'))
}
