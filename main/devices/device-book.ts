import { createHash } from 'node:crypto'
import { z } from 'zod'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { Database } from '../storage/database.ts'
import type { Sealer } from '../storage/sealer.ts'
import { deviceAddress, deviceName } from './pairing-messages.ts'

export const deviceMigrations: readonly string[] = [
  `CREATE TABLE device (id TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
   CREATE TABLE own (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;`,
]

/** `guest` may use this computer's engine; this computer uses the engine of a `host`. */
export type DeviceRole = 'guest' | 'host'

const deviceFacts = z.object({
  role: z.enum(['guest', 'host']),
  /** Ed25519, 32 bytes: the only key that this device is known by. */
  key: z.base64(),
  name: deviceName,
  pairedAtMs: z.number().int().nonnegative(),
  lastSeenMs: z.number().int().nonnegative().nullable(),
  /** Where a host was reached, the last good one first. */
  addresses: z.array(deviceAddress).max(9),
  /** Kept, so that a removed device hears that it was removed. */
  removedAtMs: z.number().int().nonnegative().nullable(),
})

export interface Device extends Omit<z.infer<typeof deviceFacts>, 'key'> {
  readonly id: string
  readonly key: Uint8Array
}

const ownFacts = z.object({
  name: deviceName,
  sharing: z.boolean(),
  /** Of the listening socket; 0 until it listened once. */
  port: z.number().int().min(0).max(65_535),
  /** Of the host whose engine is used; null, or no paired one: none is. */
  chosenHost: z.string().nullable(),
})
export type OwnFacts = z.infer<typeof ownFacts>

/** The paired devices and what this install keeps about itself. Every row is sealed: a device that was written in from outside does not open. */
export interface DeviceBook {
  /** All, removed ones too; the last paired first. */
  readonly devices: Watchable<readonly Device[]>
  readonly own: Watchable<OwnFacts>
  find(role: DeviceRole, key: Uint8Array): Device | undefined
  /** A new pairing; takes the place of an older one with the same key. */
  pair(device: { role: DeviceRole; key: Uint8Array; name: string; addresses: readonly string[] }): Device
  /** Keeps when a device was last there, and where; on a full disk only until the app ends. */
  seen(id: string, at: { addresses?: readonly string[]; name?: string }): void
  /**
   * A removed guest is remembered as removed; a removed host is forgotten. Counts at once, also where it throws because the disk is full: then it is
   * written with the next news of any device.
   * @throws Failure `not-found`
   */
  remove(id: string): Device
  changeOwn(part: Partial<OwnFacts>): void
}

/**
 * @param database opened with `deviceMigrations`
 * @param sealer under a key derived for devices alone
 * @param options.now Unix time in ms
 */
export function openDeviceBook(
  database: Database,
  sealer: Sealer,
  options: { defaultName: string; logger: Logger; now: () => number },
): DeviceBook {
  const { logger, now } = options
  const put = database.prepare(
    'INSERT INTO device (id, sealed) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed',
  )
  const drop = database.prepare('DELETE FROM device WHERE id = ?')
  const putOwn = database.prepare(
    'INSERT INTO own (name, sealed) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed',
  )
  const place = (id: string) => ({ table: 'device', row: id, column: 'sealed' })
  const ownPlace = { table: 'own', row: 'facts', column: 'sealed' }

  const readDevices = (): Device[] =>
    database
      .prepare<{ id: string; sealed: Uint8Array }>('SELECT id, sealed FROM device')
      .all()
      .flatMap(({ id, sealed }) => {
        try {
          const { key, ...facts } = deviceFacts.parse(sealer.openJson(sealed, place(id)))
          return [{ ...facts, id, key: new Uint8Array(Buffer.from(key, 'base64')) }]
        } catch (thrown) {
          if (!(thrown instanceof z.ZodError || (thrown instanceof Failure && thrown.code === 'sealed-tampered'))) throw thrown
          logger.error('a paired device could not be opened and does not count', { device: id })
          return []
        }
      })

  const readOwn = (): OwnFacts => {
    const fresh: OwnFacts = { name: options.defaultName, sharing: false, port: 0, chosenHost: null }
    const [row] = database.prepare<{ sealed: Uint8Array }>("SELECT sealed FROM own WHERE name = 'facts'").all()
    if (row === undefined) return fresh
    try {
      return ownFacts.parse(sealer.openJson(row.sealed, ownPlace))
    } catch (thrown) {
      if (!(thrown instanceof z.ZodError || (thrown instanceof Failure && thrown.code === 'sealed-tampered'))) throw thrown
      logger.error('the settings for other devices could not be opened; nothing is shared')
      return fresh
    }
  }

  const newestFirst = (devices: readonly Device[]): readonly Device[] => devices.toSorted((a, b) => b.pairedAtMs - a.pairedAtMs)
  const devices = new Signal<readonly Device[]>(newestFirst(readDevices()))
  const own = new Signal<OwnFacts>(readOwn())

  const write = ({ id, key, ...facts }: Device): void =>
    void put.run(id, sealer.sealJson({ ...facts, key: Buffer.from(key).toString('base64') }, place(id)))
  const remember = (device: Device): void =>
    devices.set(newestFirst([...devices.value.filter(({ id }) => id !== device.id), device]))
  /** Removed guests whose removal found no room on the disk yet. */
  const unwritten = new Set<string>()
  const writeRemovals = (): void => {
    for (const id of unwritten) {
      const removed = devices.value.find((one) => one.id === id)
      if (removed) write(removed)
      unwritten.delete(id)
    }
  }
  const byId = (id: string): Device => {
    const found = devices.value.find((one) => one.id === id)
    if (!found) throw new Failure('not-found', 'There is no such device.', { values: { what: 'device' } })
    return found
  }

  return {
    devices,
    own,
    find: (role, key) => devices.value.find((one) => one.role === role && Buffer.compare(one.key, key) === 0),
    pair: ({ role, key, name, addresses }) => {
      const device: Device = {
        id: idOf(role, key),
        role,
        key,
        name,
        addresses: [...addresses],
        pairedAtMs: now(),
        lastSeenMs: null,
        removedAtMs: null,
      }
      write(device)
      remember(device)
      return device
    },
    seen: (id, { addresses, name }) => {
      const known = devices.value.find((one) => one.id === id)
      if (!known) return
      const seen: Device = {
        ...known,
        lastSeenMs: now(),
        ...(addresses && { addresses: [...addresses] }),
        ...(name !== undefined && { name }),
      }
      remember(seen)
      try {
        writeRemovals()
        write(seen)
      } catch (thrown) {
        // A full disk is no reason to serve nobody.
        logger.warn('when a device was last there could not be kept', { device: id, kind: asError(thrown).name })
      }
    },
    remove: (id) => {
      const known = byId(id)
      if (known.role === 'guest') {
        const removed = { ...known, removedAtMs: now() }
        remember(removed)
        unwritten.add(id)
        writeRemovals()
        return removed
      }
      devices.set(devices.value.filter((one) => one.id !== id))
      drop.run(id)
      return known
    },
    changeOwn: (part) => {
      const next = ownFacts.parse({ ...own.value, ...part })
      // What is switched off is off, also where that finds no room on the disk.
      if (part.sharing === false) own.set(next)
      putOwn.run('facts', sealer.sealJson(next, ownPlace))
      own.set(next)
    },
  }
}

function idOf(role: DeviceRole, key: Uint8Array): string {
  return `${role}-${createHash('sha256').update(key).digest('hex').slice(0, 24)}`
}
