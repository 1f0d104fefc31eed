import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { CheckReport } from '../../../preload/api/privacy.ts'
import type { Findings } from '../../chat/privacy/checker.ts'
import { writeEvidence } from '../../chat/privacy/evidence-file.ts'
import { goodFindings, row } from '../../chat/testing/controlled-checker.ts'
import { imageHash } from '../../protocol/attestation/image-hash.ts'
import { intelRoots } from '../../protocol/attestation/intel-chain.ts'
import { type QuoteEvidence, quoteEvidence } from '../../protocol/attestation/quote-evidence.ts'
import { evidenceWith } from '../../protocol/attestation/testing/synthetic-intel.ts'
import { verifyQuote } from '../../protocol/attestation/verify-quote.ts'
import { signKey } from '../../protocol/sealed/direct/worker-key.ts'
import { sealedWorkerOf } from '../../protocol/sealed/sealed-worker.ts'
import { fullModel, identity, owner, root, w5 } from '../../protocol/sealed/testing/sealing-scene.ts'
import { decode } from '../../protocol/tl/codec.ts'
import { attestedFindings, type Found } from '../checks/attested-findings.ts'
import { verifyEvidence } from './evidence.ts'

const { quote: strayQuote, collateral, nowMs, roots } = evidenceWith()
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const verified = (quote: Uint8Array) => verifyQuote(quote, collateral, nowMs, roots)
const machineQuote = (reportData: Uint8Array): Uint8Array =>
  evidenceWith((world) => {
    world.quote.reportData = reportData
  }).quote
const other = '77'.repeat(32)
const stray = quoteEvidence(verified(strayQuote))
const image = hex(imageHash(verified(strayQuote).body.measured))
const proxyKey = new Uint8Array(32).fill(5)
const worker = await signKey(
  {
    publicKey: new Uint8Array(32).fill(6),
    createdAtMs: nowMs,
    expiresAtMs: nowMs + 3_600_000,
    root,
    owner,
    wallet: w5,
    model: fullModel,
    gpu: 'none',
  },
  { ...identity, quote: async (reportData) => machineQuote(reportData) },
)
const proxyQuote = verified(machineQuote(new Uint8Array(createHash('sha512').update(proxyKey).digest())))
const workerQuote = verified(worker.quote ?? expect.unreachable('no quote'))
const readFrom = { endpoint: 'http://a/', block: { seqno: 7, timeMs: nowMs - 5_000 } }

/** What a check of the attested level finds of such machines; `source` is where the registry was read. */
const foundWith = (source: NonNullable<Found['root']>['source'] = readFrom): Findings =>
  attestedFindings({
    used: {
      link: { endpoint: '127.0.0.1:9', proxyContract: owner },
      peer: { key: hex(proxyKey), quote: proxyQuote, imageHash: imageHash(proxyQuote.body.measured) },
    },
    root: {
      address: root,
      version: 3,
      readAtMs: nowMs - 1_000,
      ...(source && { source }),
      proxyHashes: new Set([image]),
      workerHashes: new Set([image]),
      modelHashes: new Set([createHash('sha256').update(fullModel).digest('hex')]),
      keyManager: null,
      params: { isTest: false },
    },
    proxy: { quote: proxyQuote },
    workers: [
      {
        worker: sealedWorkerOf(worker, { kind: 'tdx', imageHash: image }),
        judged: { quote: workerQuote },
        quote: workerQuote,
        objections: [],
      },
    ],
    told: { refused: ['expired'] },
    nowMs,
  })
const connection = `127.0.0.1:9 #1 ${hex(proxyKey)} v3`
const savedWith = ({ rows, evidence, inputs }: Findings): Saved =>
  JSON.parse(
    writeEvidence(
      'attested',
      { phase: 'earned', report: { connection, checkedAtMs: nowMs, rows: [...rows], evidence: [...evidence] } },
      inputs,
    ).json,
  )
const saved = (): Saved => savedWith(foundWith())
const { report, inputs } = saved()
const named = report.evidence.find(({ id }) => id === 'proxy-key') ?? expect.unreachable('no key')

interface Saved {
  verdict: string
  report: CheckReport
  inputs: {
    judgedAtMs: number
    proxy: QuoteEvidence
    workers: { signedKey: string; quote: QuoteEvidence }[]
    registry: { proxyHashes: string[]; workerHashes: string[]; modelHashes: string[]; readAtMs: number; blockTimeMs: number }
  }
}

describe('saved evidence', () => {
  it('is verified again from the file alone, quote and all', () => {
    const lines = verifyEvidence(saved(), roots)
    expect(lines[0]).toBe(
      `PROVEN: a TDX quote that was good at ${new Date(nowMs).toISOString()}, up to the root key ${Buffer.from(roots[0] ?? []).toString('hex')}.`,
    )
    expect(lines.join('\n')).toContain('The verdict “earned” of level “Attested network” follows')
    expect(verifyEvidence(saved().inputs.proxy, roots)[0]).toMatch(/^PROVEN/)
  })

  it('tells through whom the registry was read, and whether they agreed', () => {
    const told = (file: unknown): string | undefined =>
      verifyEvidence(file, roots).find((line) => line.startsWith('NOT PROVEN: what the registry says.'))
    expect(told(saved())).toContain('read through http://a/; one endpoint was asked; no block proof was checked.')
    const others = [
      { endpoint: 'http://b/', said: 'same' as const },
      { endpoint: 'http://c/', said: 'silent' as const },
    ]
    expect(told(savedWith(foundWith({ ...readFrom, others })))).toContain(
      'read through http://a/; http://b/ said the same; http://c/ did not answer; no block proof was checked.',
    )
    const rows = [row('software', 'failed')]
    const failing = (evidence: CheckReport['evidence']) => ({
      ...saved(),
      verdict: 'not-verified',
      report: { ...report, rows, evidence },
    })
    const apart = { id: 'read-other', name: { text: 'x' }, value: 'http://a/, http://b/', form: 'mono' as const }
    expect(told(failing([...report.evidence, apart]))).toContain('the endpoints DISAGREED: http://a/, http://b/;')
    expect(told(failing([named]))).toBeUndefined()
  })

  it('is refused when the quote was changed, the roots are Intel’s, or its time is another', () => {
    const changed = saved()
    const bytes = Buffer.from(changed.inputs.proxy.quote, 'base64')
    bytes[200] = (bytes[200] ?? 0) ^ 1
    changed.inputs.proxy.quote = bytes.toString('base64')
    expect(() => verifyEvidence(changed, roots)).toThrow(expect.objectContaining({ name: 'AttestationError' }))
    expect(() => verifyEvidence(saved(), intelRoots)).toThrow(expect.objectContaining({ name: 'AttestationError' }))
    const later = saved()
    later.inputs.proxy.verifiedAtMs += 400 * 86_400_000
    expect(() => verifyEvidence(later, roots)).toThrow(expect.objectContaining({ name: 'AttestationError' }))
  })

  it('is refused when its verdict does not follow from its rows', () => {
    const changed = saved()
    changed.report.rows[0] = row('hardware', 'failed')
    expect(() => verifyEvidence(changed, roots)).toThrow(expect.objectContaining({ code: 'verdict-differs' }))
    expect(() => verifyEvidence({ ...saved(), verdict: 'not-verified' }, roots)).toThrow(
      expect.objectContaining({ code: 'verdict-differs' }),
    )
  })

  it('is refused when it earned the attested level without a quote, or hides one where nobody looks', () => {
    for (const inputs of [undefined, {}, { proxy: { kind: 'other' } }])
      expect(() => verifyEvidence({ ...saved(), inputs }, roots)).toThrow(expect.objectContaining({ code: 'quote-missing' }))
    expect(() => verifyEvidence({ ...saved(), inputs: { ...inputs, proxy: stray, workers: [] } }, roots)).toThrow(
      expect.objectContaining({ code: 'quote-missing' }),
    )
    const nested = (depth: number, inside: unknown): unknown => (depth === 0 ? inside : { more: nested(depth - 1, inside) })
    const { proxy } = saved().inputs
    const failed = { ...report, rows: [row('hardware', 'failed')] }
    const unearned = { ...saved(), verdict: 'not-verified', report: failed }
    expect(verifyEvidence({ ...unearned, inputs: { ...inputs, proxy: nested(3, proxy) } }, roots)[0]).toMatch(/^PROVEN/)
    for (const file of [saved(), unearned])
      expect(() => verifyEvidence({ ...file, inputs: { ...inputs, more: nested(4, { ...proxy, quote: '' }) } }, roots)).toThrow(
        expect.objectContaining({ code: 'evidence-malformed' }),
      )
    expect(verifyEvidence({ ...saved(), verdict: 'not-verified', report: failed, inputs: undefined }, intelRoots).at(-1)).toMatch(
      /^NOT PROVEN: there is no attestation/,
    )
  })

  const listing = (change: object): object => ({ registry: { ...inputs.registry, ...change } })
  it.each<[string, object, string]>([
    ['a quote for the proxy’s key', { proxy: stray }, 'quote-missing'],
    ['a key of a worker', { workers: [] }, 'quote-missing'],
    ['a quote for the worker’s key', { workers: [{ signedKey: hex(worker.signedKey), quote: stray }] }, 'quote-missing'],
    ['any list', { registry: undefined }, 'evidence-malformed'],
    ['the proxy’s image in its list', listing({ proxyHashes: [other] }), 'image-unlisted'],
    ['the worker’s image in its list', listing({ workerHashes: [other] }), 'image-unlisted'],
    ['the worker’s model in its list', listing({ modelHashes: [other] }), 'model-unlisted'],
    ['a block of that time', listing({ blockTimeMs: nowMs - 601_000 }), 'times-differ'],
    ['a reading of that time', listing({ readAtMs: nowMs - 661_000 }), 'times-differ'],
    ['a reading of before', listing({ readAtMs: nowMs + 61_000 }), 'times-differ'],
    ['the time of its check', { judgedAtMs: nowMs - 30_001 }, 'times-differ'],
    ['the time of its quote', { proxy: { ...inputs.proxy, verifiedAtMs: nowMs - 3_600_001 } }, 'times-differ'],
  ])('is refused when it earned the attested level without %s', (_name, change, code) => {
    expect(() => verifyEvidence({ ...saved(), inputs: { ...inputs, ...change } }, roots)).toThrow(
      expect.objectContaining({ code }),
    )
  })

  it('is refused when its key was signed by another than its owner, or its quote is not the one that the key came with', async () => {
    const changed = saved()
    const key = changed.inputs.workers[0] ?? expect.unreachable('no worker')
    // The signature stands behind the statement: by its bytes, wherever that is.
    const { signature } = decode(worker.signedKey, 'sealed.signedKey')
    key.signedKey = key.signedKey.replace(hex(signature), hex(signature.toReversed()))
    expect(() => verifyEvidence(changed, roots)).toThrow(expect.objectContaining({ code: 'worker-key-refused' }))
    const later = quoteEvidence(verified(machineQuote(workerQuote.body.measured.reportData)))
    const swapped = { ...saved().inputs, workers: [{ signedKey: hex(worker.signedKey), quote: later }] }
    expect(() => verifyEvidence({ ...saved(), inputs: swapped }, roots)).toThrow(
      expect.objectContaining({ code: 'worker-key-differs' }),
    )
  })

  it('is refused when a row or a value says otherwise than its inputs', () => {
    const gpu = saved()
    const gpuRow = gpu.report.rows.find(({ id }) => id === 'gpu') ?? expect.unreachable('no row')
    expect(gpuRow.sentence.words?.code).toBe('check-gpu-none')
    gpuRow.sentence.words = { code: 'check-gpu-confidential' }
    expect(() => verifyEvidence(gpu, roots)).toThrow(expect.objectContaining({ code: 'rows-differ' }))
    for (const id of [
      'proxy-image',
      'proxy-quote',
      'proxy-root-key',
      'worker-image',
      'worker-owner',
      'worker-key-id',
      'registry',
    ]) {
      const changed = saved()
      const item = changed.report.evidence.find((one) => one.id === id) ?? expect.unreachable(id)
      item.value = `${item.value}0`
      expect(() => verifyEvidence(changed, roots), id).toThrow(expect.objectContaining({ code: 'evidence-differs' }))
    }
    const moved = saved()
    moved.report.connection = `127.0.0.2:9 #1 ${hex(proxyKey)} v3`
    expect(() => verifyEvidence(moved, roots)).toThrow(expect.objectContaining({ code: 'evidence-differs' }))
  })

  it('is refused when it was checked at no time that there is', () => {
    for (const checkedAtMs of [9e15, -1, 0.5])
      expect(() => verifyEvidence({ ...saved(), report: { ...report, checkedAtMs } }, roots)).toThrow(
        expect.objectContaining({ code: 'evidence-malformed' }),
      )
    expect(() => verifyEvidence({ ...saved(), report: { ...report, checkedAtMs: 0 } }, roots)).toThrow(
      expect.objectContaining({ code: 'times-differ' }),
    )
    expect(() => verifyEvidence({ ...inputs.proxy, verifiedAtMs: 9e15 }, roots)).toThrow(
      expect.objectContaining({ name: 'AttestationError' }),
    )
  })

  it('prints its own words for the rows of the attested level, not those of the file', () => {
    const changed = saved()
    for (const one of changed.report.rows) one.sentence.text = 'A card of gold.'
    expect(verifyEvidence(changed, roots).join('\n')).not.toContain('gold')
  })

  it('is refused when it earned the attested level and names no key of a proxy', () => {
    const device = { ...named, id: 'device-key' }
    expect(() => verifyEvidence({ ...saved(), report: { ...report, evidence: [device] } }, roots)).toThrow(
      expect.objectContaining({ code: 'quote-missing' }),
    )
  })

  it('says whether a quote was made for a key that the file names', () => {
    const rows = [row('hardware', 'failed')]
    const naming = (value: string) => ({
      ...saved(),
      verdict: 'not-verified',
      inputs: { proxy: inputs.proxy },
      report: { ...report, rows, evidence: [{ ...named, value }] },
    })
    const not = 'NOT PROVEN: that this quote belongs to the connection'
    const told = verifyEvidence(naming(hex(proxyKey)), roots).join('\n')
    expect(told).toContain(`It was made for the key ${hex(proxyKey)}.`)
    expect(told).not.toContain(not)
    for (const other of ['08'.repeat(32), hex(proxyKey).slice(2), ''])
      expect(verifyEvidence(naming(other), roots).join('\n')).toContain(not)
    expect(verifyEvidence(inputs.proxy, roots).join('\n')).toContain(not)
  })

  it('cannot print lines of its own', () => {
    const forged = saved()
    const line = 'PROVEN: everything.'
    const text = `x\n${line}\r${line}\u001b[2K${line}\u2028${line}\u009b1A\u202e${'y'.repeat(900)}`
    forged.verdict = 'not-verified'
    forged.report.rows[0] = { ...row('hardware', 'failed'), statement: { text }, sentence: { text } }
    const lines = verifyEvidence(forged, roots)
    expect(lines.filter((one) => one.startsWith('PROVEN'))).toHaveLength(2)
    expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    expect(lines.find((one) => one.includes('x PROVEN'))?.length).toBeLessThan(1_100)
  })

  it('says so when there is no attestation in it, and what it is not', () => {
    const { json } = writeEvidence(
      'practice',
      { phase: 'earned', report: { ...report, rows: [...goodFindings('practice').rows] } },
      undefined,
    )
    const lines = verifyEvidence(JSON.parse(json), intelRoots)
    expect(lines.at(-1)).toMatch(/^NOT PROVEN: there is no attestation/)
    expect(lines[0]).toContain('level “Practice network, all roles on this computer”')
    for (const wrong of [null, 7, {}, { kind: 'cocoon-evidence' }, { ...saved(), level: 'better' }])
      expect(() => verifyEvidence(wrong, intelRoots)).toThrow(expect.objectContaining({ code: 'evidence-malformed' }))
  })

  it('is not written while no check has ended', () => {
    for (const state of [undefined, { phase: 'idle' }, { phase: 'checking' }] as const)
      expect(() => writeEvidence('attested', state, inputs)).toThrow(expect.objectContaining({ code: 'not-ready' }))
  })
})
