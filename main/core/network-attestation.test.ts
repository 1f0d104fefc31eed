import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Signal } from '../base/signal.ts'
import { detectTee } from '../hardware/tee.ts'
import { tsmFolder } from '../hardware/tsm-report.ts'
import { goldenRoot } from '../proxy/testing/fixtures.ts'
import { noWorkerThere, watchNoWorker } from './network-attestation.ts'

describe('an app as worker of a network that it opened', () => {
  const { params, ...rest } = goldenRoot()
  const attesting = { ...rest, params: { ...params, isTest: false } }

  it('is none where the contract demands an attestation that this machine cannot make, and says so', () => {
    const guest = mkdtempSync(join(tmpdir(), 'cocoon-guest-'))
    onTestFinished(() => rmSync(guest, { recursive: true }))
    expect(noWorkerThere(attesting, detectTee(guest))).not.toBeNull()
    // A confidential machine whose kernel makes no quotes would be refused as well, each time after a proof of work.
    mkdirSync(join(guest, 'dev'))
    writeFileSync(join(guest, 'dev/tdx_guest'), '')
    expect(noWorkerThere(attesting, detectTee(guest))).toMatchObject({
      text: 'This network takes only workers that prove what they run, which this computer cannot.',
    })
    mkdirSync(join(guest, tsmFolder), { recursive: true })
    expect(noWorkerThere(attesting, detectTee(guest))).toBeNull()
  })

  it('is told as the contract changes, and not again with each reading of it', () => {
    const root = new Signal<typeof attesting | null>(null)
    const told: (string | undefined)[] = []
    watchNoWorker(root, { canQuote: false }).onChange((now) => told.push(now?.words?.code))
    root.set(attesting)
    root.set({ ...attesting })
    root.set({ ...attesting, params: { ...params, isTest: true } })
    expect(told).toEqual(['worker-cannot-attest', undefined])
  })

  it('may be one where nothing is demanded, and before that is known', () => {
    expect(noWorkerThere({ ...rest, params: { ...params, isTest: true } }, { canQuote: false })).toBeNull()
    expect(noWorkerThere(null, { canQuote: false })).toBeNull()
  })
})
