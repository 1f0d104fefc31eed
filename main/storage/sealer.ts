import { openBytes, sealBytes } from '../base/aead.ts'
import { Failure } from '../base/failure.ts'

/** Where sealed bytes lie. They open only in the same place, so rows and columns cannot be swapped or copied. */
export interface SealedPlace {
  readonly table: string
  readonly row: string | number | bigint
  readonly column: string
}

/**
 * Seals values before they go to the disk (format: base/aead.ts). Keys come from the vault, one derived key a room.
 * Opening throws `Failure<'sealed-tampered'>` if key, place or bytes are not the ones that were sealed.
 */
export interface Sealer {
  seal(plain: Uint8Array, place: SealedPlace): Uint8Array
  open(sealed: Uint8Array, place: SealedPlace): Uint8Array
  sealText(text: string, place: SealedPlace): Uint8Array
  openText(sealed: Uint8Array, place: SealedPlace): string
  sealJson(value: unknown, place: SealedPlace): Uint8Array
  /** Parse the result with a schema: a seal proves who wrote it, not that it fits today's code. */
  openJson(sealed: Uint8Array, place: SealedPlace): unknown
  /** Forgets the key. */
  close(): void
}

/** @param key 32 bytes; copied. */
export function createSealer(key: Uint8Array): Sealer {
  if (key.length !== 32) throw new Failure('bad-key', `A sealing key has 32 bytes, not ${key.length}.`)
  const own = Uint8Array.from(key)
  let closed = false
  const usable = (): Uint8Array => {
    if (closed) throw new Failure('vault-closed', 'The store is locked.')
    return own
  }
  const encoder = new TextEncoder()
  const decoder = new TextDecoder('utf-8', { fatal: true })

  const seal = (plain: Uint8Array, place: SealedPlace): Uint8Array => sealBytes(usable(), plain, contextOf(place))
  const open = (sealed: Uint8Array, place: SealedPlace): Uint8Array => {
    const plain = openBytes(usable(), sealed, contextOf(place))
    if (plain === null)
      throw new Failure(
        'sealed-tampered',
        `Stored data was changed from outside (${place.table}.${place.column}, row ${place.row}).`,
        {
          advice: 'Restore the data folder from a backup, or delete the damaged entry.',
        },
      )
    return plain
  }
  return {
    seal,
    open,
    sealText: (text, place) => seal(encoder.encode(text), place),
    openText: (sealed, place) => decoder.decode(open(sealed, place)),
    sealJson: (value, place) => seal(encoder.encode(JSON.stringify(value)), place),
    openJson: (sealed, place) => JSON.parse(decoder.decode(open(sealed, place))),
    close: () => {
      own.fill(0)
      closed = true
    },
  }
}

/** JSON of an array is unambiguous: no two places share it. */
function contextOf(place: SealedPlace): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([place.table, place.column, String(place.row)]))
}
