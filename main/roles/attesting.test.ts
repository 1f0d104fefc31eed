import { createHash, X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address } from '@ton/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { fakeTsm } from '../hardware/testing/fake-tsm.ts'
import { createIdentity } from '../protocol/attestation/certificate.ts'
import { fakeQuote } from '../protocol/attestation/fake-tdx.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { readQuote } from '../protocol/attestation/quote.ts'
import { syntheticImageHash, syntheticPolicy } from '../protocol/attestation/testing/manipulated-peers.ts'
import { evidenceWith } from '../protocol/attestation/testing/synthetic-intel.ts'
import { verifyPeerCertificate } from '../protocol/attestation/verify.ts'
import { KeyRing } from '../protocol/sealed/direct/key-ring.ts'
import { type ReadKey, type SealingIdentity, verifyKey } from '../protocol/sealed/direct/worker-key.ts'
import { goldenOwner, goldenRoot } from '../proxy/testing/fixtures.ts'
import { gpuClaim, machineQuote, ownQuote, policyNamedOf, quoteJudge, sealingMachine } from './attesting.ts'
import { openRoleWallet } from './role-wallet.ts'
import { walletSealing } from './worker-role.ts'

const inTdx = { kind: 'tdx-guest', canQuote: true, sentence: '' } as const
const quoteFor = (reportData: Uint8Array): Uint8Array =>
  evidenceWith(({ quote }) => {
    quote.reportData = reportData
  }).quote

function machine(provider: string, report: (reportData: Uint8Array) => Uint8Array) {
  const tsm = fakeTsm(provider, report)
  onTestFinished(() => rmSync(tsm.folder, { recursive: true }))
  return tsm
}

describe('the quote of the own certificate', () => {
  it('is the machine’s where there is one, and peers take it', async () => {
    const quote = ownQuote('tdx', { tee: inTdx, files: machine('tdx_guest', quoteFor) })
    if (quote === undefined) throw new Error('no quote')
    const identity = await createIdentity({ quote })
    const der = new Uint8Array(new X509Certificate(identity.certificatePem).raw)
    const policy = syntheticPolicy({ imageHashes: [syntheticImageHash] })
    expect(await verifyPeerCertificate(der, { peer: 'client', policy })).toMatchObject({ attestation: 'tdx' })
  })

  it('is left out where there is none, and fake only for test networks', () => {
    expect(ownQuote('any', { tee: inTdx })).toBeUndefined()
    expect(ownQuote('tdx', { tee: { kind: 'none', canQuote: false, sentence: '' } })).toBeUndefined()
    expect(ownQuote('tdx', { tee: { kind: 'sev-snp-guest', canQuote: false, sentence: '' } })).toBeUndefined()
    expect(ownQuote('tdx', { tee: { ...inTdx, canQuote: false } })).toBeUndefined()
    expect(ownQuote('fake_tdx', { tee: inTdx })).toBe(fakeQuote)
  })

  it('is not taken from a machine that attests something else', () => {
    const key = new Uint8Array(32).fill(1)
    const other = createHash('sha512').update('other').digest()
    expect(() => machineQuote(key, machine('sev_guest', quoteFor))).toThrow(expect.objectContaining({ code: 'tsm-failed' }))
    expect(() =>
      machineQuote(
        key,
        machine('tdx_guest', () => quoteFor(new Uint8Array(other))),
      ),
    ).toThrow(expect.objectContaining({ code: 'quote-not-for-this-key' }))
    expect(() =>
      machineQuote(
        key,
        machine('tdx_guest', () => new Uint8Array(100)),
      ),
    ).toThrow(expect.objectContaining({ name: 'AttestationError' }))
  })
})

describe('policies of a role', () => {
  it('share one verifier, which trusts the root keys given alone', async () => {
    const options = { dataDir: '/nowhere', pccs: 'http://127.0.0.1:9', roots: intelRoots, logger: silentLogger }
    expect(policyNamedOf('any', options)).toEqual({ kind: 'any' })
    expect(policyNamedOf('tdx', options)).toEqual({ kind: 'tdx', quotes: quoteJudge(options) })
    await expect(quoteJudge(options).verify(evidenceWith().quote)).rejects.toMatchObject({ code: 'root-not-trusted' })
  })
})

describe('the keys that a worker of the command line offers', () => {
  const root = goldenRoot().address
  const model = 'Qwen/Qwen3-8B@abc:def'
  const seed = new Uint8Array(32).fill(9)
  const keyOf = (identity: SealingIdentity, owner: Address): Promise<ReadKey> =>
    new KeyRing({ identity, root, owner, model, now: Date.now }).current()

  it('are vouched for by its own wallet, and in a confidential machine by a quote bound to each with its graphics card', async () => {
    const wallet = openRoleWallet(seed, goldenOwner, undefined).address
    const tsm = machine('tdx_guest', quoteFor)
    const inMachine = sealingMachine('builtin', { tee: inTdx, files: tsm, gpu: async () => 'confidential' })
    const key = await keyOf(walletSealing(seed, goldenOwner, inMachine), wallet)
    verifyKey(key, { root, model: 'Qwen/Qwen3-8B', nowMs: Date.now() })
    expect(key.gpu).toBe('confidential')
    expect(readQuote(key.quote ?? new Uint8Array()).body.measured.reportData).toEqual(
      new Uint8Array(createHash('sha512').update(key.statement).digest()),
    )
    // Elsewhere the wallet alone does, and nothing is said of cards.
    const plain = await keyOf(walletSealing(seed, goldenOwner, undefined), wallet)
    verifyKey(plain, { root, model: 'Qwen/Qwen3-8B', nowMs: Date.now() })
    expect([plain.quote, plain.gpu]).toEqual([undefined, undefined])
    // The pay of another wallet is not vouched for.
    const foreign = await keyOf(walletSealing(seed, goldenOwner, undefined), goldenOwner)
    expect(() => verifyKey(foreign, { root, model: 'Qwen/Qwen3-8B', nowMs: Date.now() })).toThrow(
      expect.objectContaining({ reason: 'owner-mismatch' }),
    )
  })

  it('have no quote outside of a confidential machine', () => {
    expect(sealingMachine('builtin', { tee: { kind: 'none', canQuote: false, sentence: '' } })).toBeUndefined()
    expect(sealingMachine('builtin', { tee: { ...inTdx, canQuote: false } })).toBeUndefined()
    expect(sealingMachine('builtin', { tee: { kind: 'sev-snp-guest', canQuote: false, sentence: '' } })).toBeUndefined()
  })

  it('have no quote and say nothing of cards where the engine is another program: it may answer elsewhere', async () => {
    expect(sealingMachine('builtin', { tee: inTdx })).toBeDefined()
    for (const engine of ['http://10.0.0.7:8000', 'http://127.0.0.1:8000'])
      expect(sealingMachine(engine, { tee: inTdx, gpu: async () => 'none' })).toBeUndefined()
  })

  it('say of graphics cards what the driver says, and that there is none only where no device is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-devices-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const says = (state: 'on' | 'off' | 'devtools' | 'unknown', ready: boolean) => async () => ({
      state,
      ready,
      processor: null,
      capable: true,
    })
    expect(await gpuClaim(folder, says('on', true))).toBe('none')
    mkdirSync(join(folder, 'dev', 'dri'), { recursive: true })
    expect(await gpuClaim(folder, says('on', true))).toBe('confidential')
    for (const [state, ready] of [
      ['on', false],
      ['off', true],
      ['devtools', true],
      ['unknown', true],
    ] as const)
      expect(await gpuClaim(folder, says(state, ready))).toBe('exposed')
  })
})
