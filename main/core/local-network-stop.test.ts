import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { childEntries } from '../child-entries.ts'
import { startChain } from '../localnet/testing.ts'
import { dataPaths, makeDataDir } from '../storage/files.ts'
import { openSecretStore } from '../wallet/secret-store.ts'
import { w5Address } from '../wallet/w5-wallet.ts'
import { type LocalSecrets, localSecrets } from './local-keys.ts'
import { LocalNetwork } from './local-network.ts'
import { StartProgress } from './start-progress.ts'

let dataDir: string
let secrets: LocalSecrets
let progress: StartProgress
let network: LocalNetwork

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'cocoon-local-stop-'))
  const paths = dataPaths(dataDir)
  makeDataDir(dataDir)
  const store = openSecretStore(paths.secrets, new Uint8Array(32))
  secrets = await localSecrets(store, paths)
  store.close()
  progress = new StartProgress(silentLogger)
  const entries = childEntries(new URL('./local-network.ts', import.meta.url).href)
  network = new LocalNetwork({ paths, secrets, entries, progress, paused: false, logger: silentLogger })
})
afterEach(async () => {
  await network.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

const part = (id: string) => progress.state.value.parts.find((one) => one.id === id)
const until = (look: () => void): Promise<void> => vi.waitFor(look, { timeout: 60_000, interval: 5 })

it('that is stopped while its chain starts deploys nothing', async () => {
  const started = network.start()
  await until(() => expect(part('chain')?.state).toBe('working'))
  await network.stop()
  await started
  expect(network.live.value).toBeNull()
  expect(part('contracts')?.state).toBe('waiting')
  const chain = await startChain(dataPaths(dataDir).chain, { genesis: [] })
  try {
    // Its wallet exists from its first message on.
    expect((await chain.chain.account(w5Address(secrets.networkOwner.publicKey, 'local'))).status).toBe('uninit')
  } finally {
    await chain.close()
  }
})

it('that is stopped while its contracts are made does not wait for them', async () => {
  const started = network.start()
  await until(() => expect(part('contracts')?.detail).toBeDefined())
  const stopped = Promise.all([network.stop(), started]).then(() => 'stopped')
  expect(await Promise.race([stopped, pause(12_000)])).toBe('stopped')
  expect(part('proxy')?.state).toBe('waiting')
})
