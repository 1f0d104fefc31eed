import type { Address } from '@ton/core'

const names = new WeakMap<Address, string>()

/** The address as text, written out once for each object: for what is done with the same one a thousand times a second. */
export function addressName(address: Address): string {
  const known = names.get(address)
  if (known !== undefined) return known
  const name = address.toString()
  names.set(address, name)
  return name
}
