import { join } from 'node:path'
import { makeDataDir } from '../storage/files.ts'
import { lockInstance } from '../storage/instance-lock.ts'
import type { RoleName } from './key-file.ts'

/** Where one role keeps what it must not lose: its keys and its book. */
export interface RoleFolder {
  readonly path: string
  readonly keyFile: string
  readonly database: string
  release(): void
}

/**
 * `<data folder>/roles/<network>/<role>`, made for the user alone and held by one process at a time.
 * @throws Failure `already-running`, `lock-failed`, `disk-full`, `write-failed`
 */
export function openRoleFolder(dataDir: string, network: string, role: RoleName, keyFile?: string): RoleFolder {
  const path = join(dataDir, 'roles', network.replaceAll(/[^A-Za-z0-9._-]+/g, '_'), role)
  makeDataDir(path)
  const lock = lockInstance(join(path, 'role.lock'))
  return {
    path,
    keyFile: keyFile ?? join(path, 'keys.json'),
    database: join(path, `${role}.db`),
    release: () => lock.release(),
  }
}
