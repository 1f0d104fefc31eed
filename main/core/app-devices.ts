import { hostname } from 'node:os'
import type { DevicesState } from '../../preload/api/devices.ts'
import type { Logger } from '../base/logger.ts'
import type { ChatBackend } from '../chat/backend.ts'
import type { LevelChecker } from '../chat/privacy/checker.ts'
import { deviceMigrations, openDeviceBook } from '../devices/device-book.ts'
import { deviceIdentity } from '../devices/device-identity.ts'
import { Devices } from '../devices/devices.ts'
import { deviceName } from '../devices/pairing-messages.ts'
import type { Engine } from '../inference/engine.ts'
import type { CatalogEntry } from '../models/catalog.ts'
import type { ModelLibrary, VerifiedModel } from '../models/library.ts'
import { openDatabase } from '../storage/database.ts'
import type { DiskRoom } from '../storage/disk-room.ts'
import { createSealer } from '../storage/sealer.ts'
import type { SecretStore } from '../wallet/secret-store.ts'
import { devicesChecker } from './checks/devices-checker.ts'
import { devicesBackend } from './devices-backend.ts'
import { devicesState } from './devices-view.ts'
import { sharedEngine } from './shared-engine.ts'

export interface AppDevicesOptions {
  /** Of the book of paired devices. */
  readonly path: string
  readonly secretStore: SecretStore
  /** 32 bytes, derived for devices alone. */
  readonly key: Uint8Array
  readonly engine: Pick<Engine, 'state' | 'chat'>
  readonly library: ModelLibrary
  readonly catalog: readonly CatalogEntry[]
  readonly model: () => VerifiedModel | undefined
  readonly room: DiskRoom
  readonly logger: Logger
}

export interface AppDevices {
  readonly devices: Devices
  readonly backend: ChatBackend
  readonly checker: LevelChecker
  view(): DevicesState
  stop(): Promise<void>
}

/** Paired devices as a part of the app: their book, this computer's engine for them, and the level "Your devices". */
export async function openAppDevices(options: AppDevicesOptions): Promise<AppDevices> {
  const { catalog, engine, key, library, logger, model, path, room, secretStore } = options
  const database = openDatabase(path, deviceMigrations, { logger, room })
  const sealer = createSealer(key)
  const own = deviceName.safeParse(hostname().slice(0, 40))
  const book = openDeviceBook(database, sealer, { defaultName: own.success ? own.data : 'Computer', logger, now: Date.now })
  const identity = await deviceIdentity(secretStore)
  const devices = new Devices({ identity, book, engine: sharedEngine({ engine, library, model }), logger })
  await devices.start()
  return {
    devices,
    backend: devicesBackend(devices),
    checker: devicesChecker({ devices, catalog }),
    view: () => devicesState(devices),
    stop: async () => {
      await devices.stop()
      database.close()
      sealer.close()
    },
  }
}
