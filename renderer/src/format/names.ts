/** First and last twelve of a hash; copying always takes the whole. */
export function shortHash(hash: string): string {
  return hash.length <= 27 ? hash : `${hash.slice(0, 12)}…${hash.slice(-12)}`
}

/** A network's model by its own name; where it comes from stands before it. */
export const withoutFolder = (model: string): string => model.slice(model.lastIndexOf('/') + 1)

/** First and last four of an address, for lists. */
export function shortAddress(address: string): string {
  return address.length <= 11 ? address : `${address.slice(0, 4)}…${address.slice(-4)}`
}

/** The whole address in groups of four, for where money moves. */
export function groupedAddress(address: string): readonly string[] {
  return address.match(/.{1,4}/gs) ?? []
}
