import { mkdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { writeFailure } from '../base/atomic-file.ts'

/** Where everything of one install lies. Only the core of that install writes here. */
export interface DataPaths {
  readonly dataDir: string
  /** Held while a core runs; see instance-lock.ts. */
  readonly lock: string
  readonly vault: string
  /** Opens the vault without a password, for unattended start. */
  readonly keyFile: string
  readonly secrets: string
  readonly settings: string
  readonly chatDb: string
  readonly earningsDb: string
  readonly clientDb: string
  readonly workerDb: string
  readonly proxyDb: string
  /** Keys of programs for the local API, and what they spent. */
  readonly gatewayDb: string
  /** Paired devices. */
  readonly devicesDb: string
  /** State of the embedded chain. */
  readonly chain: string
  /** Where the local network is found while the app runs. */
  readonly localEndpoint: string
  readonly models: string
  /** Where the models are, once they were moved. */
  readonly modelsPlace: string
  readonly logs: string
}

export function dataPaths(dataDir: string): DataPaths {
  const at = (name: string): string => join(dataDir, name)
  return {
    dataDir,
    lock: at('core.lock'),
    vault: at('vault.json'),
    keyFile: at('vault.key'),
    secrets: at('secrets.json'),
    settings: at('settings.json'),
    chatDb: at('chat.db'),
    earningsDb: at('earnings.db'),
    clientDb: at('client.db'),
    workerDb: at('worker.db'),
    proxyDb: at('proxy.db'),
    gatewayDb: at('gateway.db'),
    devicesDb: at('devices.db'),
    chain: at('chain'),
    localEndpoint: at('local-network.json'),
    models: at('models'),
    modelsPlace: at('models-place.json'),
    logs: at('logs'),
  }
}

/**
 * Where the books of one network lie: those of the computer's own local network in the data folder itself, those of every other in a folder
 * of its own, because balances, earnings and signed payments of two networks have nothing to do with each other.
 * @param root hash of the network contract's address, 32 bytes; null for the computer's own network
 */
export function bookPaths(paths: DataPaths, root: Uint8Array | null): DataPaths {
  if (root === null) return paths
  const folder = join(paths.dataDir, 'networks', Buffer.from(root).toString('hex').slice(0, 32))
  const at = (name: string): string => join(folder, name)
  return {
    ...paths,
    earningsDb: at('earnings.db'),
    clientDb: at('client.db'),
    workerDb: at('worker.db'),
    proxyDb: at('proxy.db'),
    gatewayDb: at('gateway.db'),
  }
}

/** Makes the data folder, for the user alone. Throws `Failure` `disk-full` or `write-failed`. */
export function makeDataDir(dataDir: string): void {
  try {
    makeFolders(resolve(dataDir))
  } catch (thrown) {
    throw writeFailure(dataDir, thrown)
  }
}

/** Level by level: mkdir's own recursion never ends where a folder refuses with ENOENT, as /proc does. */
function makeFolders(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  if (dirname(path) !== path) makeFolders(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (thrown) {
    // Another process may have made it in between.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw thrown
  }
}

export interface PlatformFacts {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
}

/**
 * `COCOON_DATA_DIR` if set, else the platform's place for an application's data:
 * `$XDG_DATA_HOME` (or `~/.local/share`), `%APPDATA%`, `~/Library/Application Support`.
 */
export function defaultDataDir(facts: PlatformFacts = { platform: process.platform, env: process.env, home: homedir() }): string {
  const { platform, env, home } = facts
  const chosen = env.COCOON_DATA_DIR
  if (chosen !== undefined && chosen !== '') return resolve(chosen)
  if (platform === 'win32') return join(env.APPDATA || join(home, 'AppData', 'Roaming'), 'Cocoon Desktop')
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'Cocoon Desktop')
  const xdg = env.XDG_DATA_HOME
  // The XDG specification tells to ignore a relative path.
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(home, '.local', 'share'), 'cocoon-desktop')
}
