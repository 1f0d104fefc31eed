import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { writeEvidence } from '../../chat/privacy/evidence-file.ts'
import { goodFindings, row } from '../../chat/testing/controlled-checker.ts'
import { imageHash } from '../../protocol/attestation/image-hash.ts'
import { quoteEvidence } from '../../protocol/attestation/quote-evidence.ts'
import { evidenceWith } from '../../protocol/attestation/testing/synthetic-intel.ts'
import { verifyQuote } from '../../protocol/attestation/verify-quote.ts'
import { signKey } from '../../protocol/sealed/direct/worker-key.ts'
import { fullModel, identity, owner, root, w5 } from '../../protocol/sealed/testing/sealing-scene.ts'
import { verifyEvidence } from './evidence.ts'

const { quote: strayQuote, collateral, nowMs, roots } = evidenceWith()
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const verified = (quote: Uint8Array) => verifyQuote(quote, collateral, nowMs, roots)
const quoteFor = (bytes: Uint8Array) =>
  quoteEvidence(
    verified(
      evidenceWith((world) => {
        world.quote.reportData = new Uint8Array(createHash('sha512').update(bytes).digest())
      }).quote,
    ),
  )
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
  identity,
)
const inputs = {
  proxy: quoteFor(proxyKey),
  workers: [{ signedKey: hex(worker.signedKey), quote: quoteFor(worker.statement) }],
  registry: { proxyHashes: [image], workerHashes: [image] },
}
const named = { id: 'proxy-key', name: { text: 'TLS key of the proxy' }, value: hex(proxyKey), form: 'hash' as const }
const report = { connection: 'c #1', checkedAtMs: nowMs, rows: [...goodFindings('attested').rows], evidence: [named] }
const saved = (): { inputs: typeof inputs; verdict: string; report: typeof report } =>
  JSON.parse(writeEvidence('attested', { phase: 'earned', report }, inputs).json)

describe('saved evidence', () => {
  it('is verified again from the file alone, quote and all', () => {
    const lines = verifyEvidence(saved(), roots)
    expect(lines[0]).toBe(
      `PROVEN: a TDX quote that was good at ${new Date(nowMs).toISOString()}, up to the root key ${Buffer.from(roots[0] ?? []).toString('hex')}.`,
    )
    expect(lines.join('\n')).toContain('The verdict “earned” of level “attested” follows')
    expect(verifyEvidence(saved().inputs.proxy, roots)[0]).toMatch(/^PROVEN/)
  })

  it('tells through whom the registry was read, and whether they agreed', () => {
    const item = (id: string, value: string) => ({ id, name: { text: id }, value, form: 'mono' as const })
    const told = (...items: ReturnType<typeof item>[]): string | undefined =>
      verifyEvidence({ ...saved(), report: { ...report, evidence: [named, ...items] } }, roots).find((line) =>
        line.startsWith('NOT PROVEN: what the registry says.'),
      )
    const from = item('read-from', 'http://a/')
    expect(told()).toBeUndefined()
    expect(told(from)).toContain('read through http://a/; one endpoint was asked; no block proof was checked.')
    expect(told(from, item('read-same-1', 'http://b/'), item('read-silent-1', 'http://c/'))).toContain(
      'read through http://a/; http://b/ said the same; http://c/ did not answer; no block proof was checked.',
    )
    expect(told(from, item('read-other', 'http://a/, http://b/'))).toContain('the endpoints DISAGREED: http://a/, http://b/;')
  })

  it('is refused when the quote was changed, the roots are Intel’s, or its time is another', () => {
    const changed = saved()
    const bytes = Buffer.from(changed.inputs.proxy.quote, 'base64')
    bytes[200] = (bytes[200] ?? 0) ^ 1
    changed.inputs.proxy.quote = bytes.toString('base64')
    expect(() => verifyEvidence(changed, roots)).toThrow(expect.objectContaining({ name: 'AttestationError' }))
    expect(() => verifyEvidence(saved())).toThrow(expect.objectContaining({ name: 'AttestationError' }))
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
    expect(verifyEvidence({ ...saved(), inputs: { ...inputs, proxy: nested(3, proxy) } }, roots)[0]).toMatch(/^PROVEN/)
    expect(() => verifyEvidence({ ...saved(), inputs: { ...inputs, more: nested(4, { ...proxy, quote: '' }) } }, roots)).toThrow(
      expect.objectContaining({ code: 'evidence-malformed' }),
    )
    const failed = { ...report, rows: [row('hardware', 'failed')] }
    expect(verifyEvidence({ ...saved(), verdict: 'not-verified', report: failed, inputs: undefined }).at(-1)).toMatch(
      /^NOT PROVEN: there is no attestation/,
    )
  })

  it.each<[string, object, string]>([
    ['a quote for the proxy’s key', { proxy: stray }, 'quote-missing'],
    ['a key of a worker', { workers: [] }, 'quote-missing'],
    ['a quote for the worker’s key', { workers: [{ signedKey: hex(worker.signedKey), quote: stray }] }, 'quote-missing'],
    ['any list', { registry: undefined }, 'image-unlisted'],
    ['the proxy’s image in its list', { registry: { proxyHashes: ['77'], workerHashes: [image] } }, 'image-unlisted'],
    ['the worker’s image in its list', { registry: { proxyHashes: [image], workerHashes: ['77'] } }, 'image-unlisted'],
  ])('is refused when it earned the attested level without %s', (_name, change, code) => {
    expect(() => verifyEvidence({ ...saved(), inputs: { ...inputs, ...change } }, roots)).toThrow(
      expect.objectContaining({ code }),
    )
  })

  it('is refused when it earned the attested level and names no key of a proxy', () => {
    const other = { ...named, id: 'device-key' }
    expect(() => verifyEvidence({ ...saved(), report: { ...report, evidence: [other] } }, roots)).toThrow(
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
    forged.report.rows[0] = { ...row('hardware'), statement: { text }, sentence: { text } }
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
    expect(verifyEvidence(JSON.parse(json)).at(-1)).toMatch(/^NOT PROVEN: there is no attestation/)
    for (const wrong of [null, 7, {}, { kind: 'cocoon-evidence' }, { ...saved(), level: 'better' }])
      expect(() => verifyEvidence(wrong)).toThrow(expect.objectContaining({ code: 'evidence-malformed' }))
  })

  it('is not written while no check has ended', () => {
    for (const state of [undefined, { phase: 'idle' }, { phase: 'checking' }] as const)
      expect(() => writeEvidence('attested', state, inputs)).toThrow(expect.objectContaining({ code: 'not-ready' }))
  })
})
