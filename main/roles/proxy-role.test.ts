import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { childEntries } from '../child-entries.ts'
import { openDialer } from '../core/dialer.ts'
import { fakeTsm } from '../hardware/testing/fake-tsm.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { syntheticImageHash, syntheticPolicy } from '../protocol/attestation/testing/manipulated-peers.ts'
import { evidenceWith } from '../protocol/attestation/testing/synthetic-intel.ts'
import type { Peer } from '../protocol/wire/peer.ts'
import { goldenOwner, goldenRoot } from '../proxy/testing/fixtures.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { PolicyName } from './attesting.ts'
import { startProxyRole } from './proxy-role.ts'
import { freePorts } from './testing/role-process.ts'

const entries = childEntries(import.meta.url)
const never = new AbortController().signal

/** Starts a proxy in a machine that makes quotes, and dials its port for clients as a client that asks for one. */
async function seenByClient(policyWorkers: PolicyName, policyClients: PolicyName): Promise<Peer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-proxy-role-'))
  const files = fakeTsm('tdx_guest', (reportData) => evidenceWith(({ quote }) => Object.assign(quote, { reportData })).quote)
  onTestFinished(() => {
    for (const folder of [dataDir, files.folder]) rmSync(folder, { recursive: true, force: true })
  })
  const [workersPort = 0, clientsPort = 0] = await freePorts(2)
  const root = new Signal<RootConfig | null>(goldenRoot())
  const proxy = await startProxyRole({
    network: { name: 'test', root, chain: undefined, close: async () => undefined },
    ...{ dataDir, owner: goldenOwner, entries, roots: intelRoots, logger: silentLogger, signal: never },
    hardware: { tee: { kind: 'tdx-guest', canQuote: true, sentence: '' }, files },
    ...{ host: '127.0.0.1', workersPort, clientsPort, policyWorkers, policyClients, plain: false, difficulty: 4 },
    ...{ commitDelayMs: 5, listedModelsOnly: false, acceptLostDatabase: false },
  })
  onTestFinished(async () => void (await proxy.stop(0)))
  let seen: Peer | undefined
  const dial = openDialer(entries.powThread, {
    policy: syntheticPolicy({ imageHashes: [syntheticImageHash] }),
    check: (peer) => {
      seen = peer
    },
  })
  const connection = await dial({ host: '127.0.0.1', port: clientsPort }, AbortSignal.timeout(60_000))
  connection.close()
  if (seen === undefined) throw new Error('Nobody looked at the proxy.')
  return seen
}

it('shows its machine’s quote at the port for clients, which asks for nothing, where its workers owe one: clients want to know whom they ask', async () => {
  const { quote, publicKey, imageHash } = await seenByClient('tdx', 'any')
  expect(quote?.body.measured.reportData).toEqual(
    new Uint8Array(
      createHash('sha512')
        .update(publicKey ?? '')
        .digest(),
    ),
  )
  expect(imageHash).toEqual(syntheticImageHash)
})

it('shows none where neither port asks for one', async () => {
  await expect(seenByClient('any', 'any')).rejects.toMatchObject({ code: 'quote-missing' })
})
