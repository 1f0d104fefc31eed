import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { fakeTsm } from '../hardware/testing/fake-tsm.ts'
import { createIdentity } from '../protocol/attestation/certificate.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { syntheticImageHash, syntheticPolicy } from '../protocol/attestation/testing/manipulated-peers.ts'
import { evidenceWith } from '../protocol/attestation/testing/synthetic-intel.ts'
import { dialDirect } from '../protocol/wire/dial.ts'
import { listen } from '../protocol/wire/listen.ts'
import { startRouterRole } from './router-role.ts'
import { freePorts } from './testing/role-process.ts'

/** Dials the way in of a router in a machine that makes quotes, as a peer that asks for one. */
async function seenByPeer(policyOut: string) {
  const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-router-role-'))
  const files = fakeTsm('tdx_guest', (reportData) => evidenceWith(({ quote }) => Object.assign(quote, { reportData })).quote)
  onTestFinished(() => {
    for (const folder of [dataDir, files.folder]) rmSync(folder, { recursive: true, force: true })
  })
  const runner = await listen(
    { host: '127.0.0.1', port: 0, plain: true, behindRouter: true },
    ({ connection }) => void connection.start({}).catch(() => undefined),
  )
  onTestFinished(() => runner.close())
  const [out = 0, way = 0] = await freePorts(2)
  const role = await startRouterRole({
    ...{ dataDir, roots: intelRoots, logger: silentLogger, entries: childEntries(import.meta.url) },
    ...{ socks: [`${out}@${policyOut}`], reverse: [`${way}:127.0.0.1:${runner.port}@any`] },
    ...{ policyFromUserName: false, host: '127.0.0.1', difficulty: 4, fakeQuote: false },
    hardware: { tee: { kind: 'tdx-guest', canQuote: true, sentence: '' }, files },
  })
  onTestFinished(async () => void (await role.stop(0)))
  const policy = syntheticPolicy({ imageHashes: [syntheticImageHash] })
  const { connection, peer } = await dialDirect({ host: '127.0.0.1', port: way, identity: await createIdentity(), policy })
  connection.close()
  return peer
}

it('shows the quote of its machine where a port of it asks peers for theirs', async () => {
  expect((await seenByPeer('tdx')).imageHash).toEqual(syntheticImageHash)
})

it('tells nobody which machine it runs in where no port asks', async () => {
  await expect(seenByPeer('any')).rejects.toMatchObject({ code: 'quote-missing' })
})
