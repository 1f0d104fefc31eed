import { silentLogger } from '../../main/base/logger.ts'
import { childEntries } from '../../main/child-entries.ts'
import type { Client } from '../../main/client/client.ts'
import { localSecrets } from '../../main/core/local-keys.ts'
import { LocalNetwork } from '../../main/core/local-network.ts'
import { StartProgress } from '../../main/core/start-progress.ts'
import type { OpenAiBackend } from '../../main/inference/openai-backend.ts'
import { dataPaths, makeDataDir } from '../../main/storage/files.ts'
import { openSecretStore } from '../../main/wallet/secret-store.ts'
import { openVault } from '../../main/wallet/vault.ts'

const refillNano = 3_000_000_000n

export interface LocalPath {
  readonly client: Client
  /** Puts more test coins on the chat balance; many questions use it up. */
  refill(): Promise<void>
  stop(): Promise<void>
}

/** The local network of the app in `dataDir`, with `backend` behind its worker. Resolves when a question can be asked. */
export async function openLocalPath(dataDir: string, backend: OpenAiBackend): Promise<LocalPath> {
  const paths = dataPaths(dataDir)
  makeDataDir(dataDir)
  const entries = childEntries(new URL('../../main/core.ts', import.meta.url).href)
  const vault = await openVault(paths)
  const secretStore = openSecretStore(paths.secrets, vault.derive('secrets'))
  const secrets = await localSecrets(secretStore, paths)
  const logger = silentLogger
  const network = new LocalNetwork({ paths, secrets, entries, progress: new StartProgress(logger), paused: false, logger })
  await network.start()
  const live = network.live.value
  if (!live) throw network.failure.value ?? new Error('The network did not start.')
  const modelName = `${backend.model}@${'0'.repeat(40)}:${'0'.repeat(64)}`
  await network.serve({ backend, modelName, engine: 'builtin' })
  await live.client.whenReady(AbortSignal.timeout(120_000))
  const deadline = performance.now() + 60_000
  while (!(await live.client.models()).some((offer) => offer.model === backend.model && offer.workers.length > 0)) {
    if (performance.now() > deadline) throw new Error('The worker did not come.')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return {
    client: live.client,
    refill: () => live.topUps.refill(refillNano),
    stop: async () => {
      await network.stop()
      secretStore.close()
      vault.close()
    },
  }
}
