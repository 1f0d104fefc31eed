import { describe, expect, it } from 'vitest'
import type { SealState } from '../../preload/api/privacy.ts'
import type { Receipt } from '../../preload/api/receipt.ts'
import { fakeQuote } from '../protocol/attestation/fake-tdx.ts'
import { syntheticQuote } from '../protocol/attestation/testing/manipulated-peers.ts'
import { evidenceWith } from '../protocol/attestation/testing/synthetic-intel.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import { beginning, type Flaws, image, otherImage, quoteFor } from '../roles/testing/attested-network.ts'
import { usedBy } from './checks/used-connection.ts'
import { openedLevels } from './opened-levels.ts'
import { receiptAttestation } from './receipt-attestation.ts'
import { AttestedScene } from './testing/attested-scene.ts'
import { verifyEvidence } from './verify/evidence.ts'
import { attestationLines, checkAttestation } from './verify/receipt-attestation.ts'

const { roots } = evidenceWith()
const oldSource = { endpoint: 'http://127.0.0.1:1', block: { seqno: 7, timeMs: Date.now() - 3_600_000 } }

const begin = beginning(() => new AttestedScene())

type Rows = readonly (readonly [string, 'passed' | 'failed' | 'not-checked'])[]
const rowsOf = (seal: SealState): Rows => {
  const { report } = seal.phase === 'failed' ? seal : expect.unreachable(seal.phase)
  return (report?.rows ?? []).map(({ id, result }) => [id, result])
}
/** The rows of the sheet in their order, each with its result. */
const results = (...[hardware, software, worker, model, gpu]: readonly Rows[number][1][]): unknown => [
  ['hardware', hardware],
  ['software', software],
  ['channel', 'passed'],
  ['worker', worker],
  ['model', model],
  ['gpu', gpu],
]
const [yes, no, nobody] = ['passed', 'failed', 'not-checked'] as const

describe('the level Attested network', () => {
  const unflawed = begin()
  const forReceipts = begin()
  const toBeLost = begin()
  const ofTest = begin({ isTest: true })
  const ofTwo = begin({ workers: 2 })
  const withTwo = begin({ otherProxy: true, root: { proxyHashes: new Set([image]) } })
  const toFall = begin()
  const ofNobody = begin({ workers: 0 })
  const tooDear = begin({ coefficient: 1_001 })

  it('is earned by quotes of proxy and worker that the network contract lists, answers, and is verified again from its file', async () => {
    const scene = await unflawed()
    const seal = await scene.seal()
    if (seal.phase !== 'earned') throw new Error(JSON.stringify(seal))
    expect(seal.report.rows.map(({ id, result, by }) => [id, result, by])).toEqual([
      ['hardware', 'passed', 'here'],
      ['software', 'passed', 'here'],
      ['channel', 'passed', 'here'],
      ['worker', 'passed', 'here'],
      ['model', 'passed', 'sealed-worker'],
      ['gpu', 'passed', 'sealed-worker'],
    ])
    const value = (id: string) => seal.report.evidence.find((item) => item.id === id)?.value
    expect([value('proxy-image'), value('worker-image'), value('policy')]).toEqual([image, image, 'tdx'])
    expect(await scene.ask()).toBe('Hello from fake AI')
    expect(Buffer.from(scene.backend.requests[0]?.body ?? []).toString()).toContain('The canary sings')
    const file = {
      kind: 'cocoon-evidence',
      version: 1,
      level: 'attested',
      verdict: 'earned',
      report: seal.report,
      inputs: scene.keeper.inputs,
    }
    const lines = verifyEvidence(JSON.parse(JSON.stringify(file)), roots)
    expect(lines.filter((line) => line.startsWith('PROVEN: a TDX quote'))).toHaveLength(2)
    expect(lines.join('\n')).not.toContain('It was made for none of the keys')
    // A quote in it that was changed is found out.
    const inputs = structuredClone(scene.keeper.inputs) as { proxy: { quote: string } }
    inputs.proxy.quote = `A${inputs.proxy.quote.slice(1)}`
    expect(() => verifyEvidence({ ...file, inputs }, roots)).toThrow()
  })

  it('is kept in the receipt of each answer: both quotes, images, collateral and block, each bound to what it was made for', async () => {
    const scene = await forReceipts()
    expect(await scene.seal()).toMatchObject({ phase: 'earned' })
    const live = scene.network.live.value ?? expect.unreachable('not live')
    const body = JSON.stringify({ model: 'Qwen/Qwen3-8B', max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] })
    const handle = live.client.runChat({ model: 'Qwen/Qwen3-8B', body, seal: 'attested' }, AbortSignal.timeout(60_000))
    await handle.end
    const { quotes, root } = scene
    const proof = { workerQuote: (_worker: SealedWorker, quote: Uint8Array) => quotes.verify(quote) }
    const { peer } = usedBy(live) ?? expect.unreachable('no connection')
    const sentBy = { peer, root: root.value }
    const attestation = await receiptAttestation(sentBy, handle.seal, proof)
    if (attestation === 'none') throw new Error('nothing was attested')
    expect(attestation).toMatchObject({
      proxy: { imageHash: image },
      worker: { imageHash: image },
      listed: { block: 77, endpoints: ['http://127.0.0.1:1'] },
    })
    const receipt = { attestation, seal: handle.seal } as Receipt
    checkAttestation(receipt)
    expect(attestationLines(receipt).join('\n')).toContain(
      `worker: image ${image}, collateral ${attestation.worker.collateral.digest}`,
    )
    const { proxy, worker } = attestation
    for (const changed of [
      { ...attestation, proxy: { ...proxy, tlsKey: '00'.repeat(32) } },
      { ...attestation, proxy: { ...proxy, imageHash: '00'.repeat(32) } },
      { ...attestation, proxy: { ...proxy, quote: 'AAAA' } },
      { ...attestation, worker: { ...worker, imageHash: '00'.repeat(32) } },
    ])
      expect(() => checkAttestation({ ...receipt, attestation: changed })).toThrow(
        expect.objectContaining({ code: 'attestation-differs' }),
      )
    expect(() => checkAttestation({ ...receipt, seal: { scheme: 'none', reason: 'no-keys' } })).toThrow()
    // A proxy that proved nothing is never written down as one that did.
    expect(await receiptAttestation(undefined, handle.seal, proof)).toBe('none')
    expect(await receiptAttestation({ ...sentBy, root: null }, handle.seal, proof)).toBe('none')
    // Nor a worker whose quote does not hold.
    expect(await receiptAttestation(sentBy, handle.seal, { workerQuote: () => Promise.reject(new Error('old')) })).toBe('none')
  })

  it('names no single worker where several may answer: both are in its file, and nobody else may read', async () => {
    const scene = await ofTwo()
    const seal = await scene.seal()
    if (seal.phase !== 'earned') throw new Error(JSON.stringify(seal))
    const { rows, evidence } = seal.report
    expect(rows.find(({ id }) => id === 'worker')?.sentence.words).toEqual({
      code: 'check-worker-sealed-several',
      values: { n: 2 },
    })
    expect(evidence.filter(({ id }) => /^worker(-2)?-(key-id|image|quote)$/.test(id))).toHaveLength(6)
    expect(new Set(evidence.map(({ id }) => id)).size).toBe(evidence.length)
    const { inputs } = scene.keeper
    const file = { kind: 'cocoon-evidence', version: 1, level: 'attested', verdict: 'earned', report: seal.report, inputs }
    const lines = verifyEvidence(JSON.parse(JSON.stringify(file)), roots)
    expect(lines.filter((line) => line.startsWith('PROVEN: a TDX quote'))).toHaveLength(3)
    // The same network, by a sheet that has judged nobody yet.
    const unjudged = openedLevels(scene.network, scene.quotes, () => undefined)
    const backend = unjudged.backends.find(({ level }) => level === 'attested') ?? expect.unreachable('no backend')
    try {
      await expect.poll(() => backend.state.value).toMatchObject({ state: 'ready' })
      await expect(scene.ask(backend)).rejects.toMatchObject({ code: 'seal-unavailable' })
    } finally {
      unjudged.close()
    }
    expect(scene.backend.requests).toEqual([])
  })

  it('tells in a receipt what the question was sent by, whatever is read or grows old while it is answered', async () => {
    const scene = await unflawed()
    expect(await scene.seal()).toMatchObject({ phase: 'earned' })
    const good = scene.root.value ?? expect.unreachable('no root')
    const signal = AbortSignal.timeout(60_000)
    const verifiedAtMs = scene.nowMs
    let receipt: Promise<Receipt | undefined> | undefined
    for await (const event of scene.attested.answer([{ role: 'user', content: 'hi' }], signal, scene.keeper.permit, 'a chat')) {
      if (event.type === 'text' && scene.root.value === good) {
        scene.root.set({ ...good, source: { endpoint: 'http://127.0.0.1:2', block: { seqno: 99, timeMs: Date.now() } } })
        scene.nowMs += 400 * 86_400_000
      }
      if (event.type === 'final') receipt = event.receipt
    }
    expect(scene.root.value?.source?.block?.seqno).toBe(99)
    expect((await receipt)?.attestation).toMatchObject({
      worker: { imageHash: image, verifiedAtMs },
      listed: { block: 77, endpoints: ['http://127.0.0.1:1'] },
    })
  })

  const unreached: readonly [string, Flaws, RegExp][] = [
    ['the proxy shows no quote', { proxyQuote: undefined }, /shows no attestation/],
    ['the proxy shows a fake quote', { proxyQuote: fakeQuote }, /attestation|quote/i],
    ['the proxy shows the quote of another key', { proxyQuote: () => syntheticQuote(new Uint8Array(32)) }, /another key/],
    ['the contract does not list the proxy’s image', { root: { proxyHashes: new Set(['77'.repeat(32)]) } }, /does not list/],
    ['the contract was read too long ago', { root: { source: oldSource } }, /was read 6\d minutes ago/],
  ]
  it.each(unreached.map(([name, flaws, reason]) => [name, begin(flaws), reason] as const))(
    'is not reached where %s, and says why',
    async (_name, opened, reason) => {
      const scene = await opened()
      await expect.poll(() => scene.attested.state.value.reason).toMatch(reason)
      expect(scene.attested.state.value.state).toBe('starting')
      expect(scene.keeper.state.value.phase).toBe('idle')
      await expect(scene.keeper.permit(AbortSignal.timeout(60_000))).rejects.toMatchObject({ code: 'not-ready' })
    },
  )

  const unearned: readonly [string, Flaws, RegExp, unknown][] = [
    [
      'the worker shows no quote',
      { machine: null },
      /without an attestation|No worker showed one/,
      results(no, nobody, no, nobody, nobody),
    ],
    [
      'the worker shows a fake quote',
      { machine: null, sealing: { quote: async () => new Uint8Array(64) } },
      /attestation does not hold/,
      results(nobody, nobody, no, nobody, nobody),
    ],
    [
      'the worker’s quote is for another key',
      { machine: null, sealing: { quote: async () => quoteFor(new Uint8Array(64)), gpu: async () => 'none' } },
      /attestation is for another key/,
      results(nobody, nobody, no, nobody, nobody),
    ],
    [
      'the contract does not list the worker’s image',
      { root: { workerHashes: new Set(['77'.repeat(32)]) } },
      /does not list what the worker runs/,
      results(nobody, nobody, no, nobody, nobody),
    ],
    [
      'the contract does not list the model',
      { root: { modelHashes: new Set() } },
      /does not list the model/,
      results(yes, yes, yes, no, yes),
    ],
    [
      'the graphics card is open to its host',
      { gpu: 'exposed' },
      /not in its confidential mode/,
      results(yes, yes, yes, yes, no),
    ],
    [
      'the worker says nothing of its graphics card',
      { machine: null, sealing: { quote: async (data) => quoteFor(data) } },
      /not in its confidential mode/,
      results(yes, yes, yes, yes, no),
    ],
  ]
  it.each(unearned.map(([name, flaws, reason, rows]) => [name, begin(flaws), reason, rows] as const))(
    'is not earned where %s: the reason is shown, and nothing is sent',
    async (_name, opened, reason, rows) => {
      const scene = await opened()
      const seal = await scene.seal()
      expect(seal).toMatchObject({ phase: 'failed', reason: { text: expect.stringMatching(reason) } })
      expect(rowsOf(seal)).toEqual(rows)
      await expect(scene.ask()).rejects.toMatchObject({ code: 'not-verified' })
      expect(scene.backend.requests).toEqual([])
    },
  )

  it('is lost when the contract or what Intel says grows old, or the contract takes an image back', async () => {
    const scene = await toBeLost()
    expect(await scene.seal()).toMatchObject({ phase: 'earned' })
    const good = scene.root.value ?? expect.unreachable('no root')
    // Earned a moment ago, and looked at again right before sending.
    scene.root.set({ ...good, workerHashes: new Set(['77'.repeat(32)]) })
    await expect(scene.ask()).rejects.toMatchObject({ code: 'seal-unavailable' })
    scene.root.set({ ...good, source: oldSource })
    expect(await scene.seal()).toMatchObject({ phase: 'failed', reason: { text: expect.stringMatching(/read 6\d minutes ago/) } })
    scene.root.set({ ...good })
    expect(await scene.seal()).toMatchObject({ phase: 'earned' })
    // One of two endpoints tells of another contract.
    const dispute = { first: 'http://127.0.0.1:1/', other: 'http://127.0.0.1:2/' }
    scene.root.set({ ...good, disputed: dispute })
    await expect(scene.ask()).rejects.toMatchObject({ code: 'not-verified' })
    expect(scene.keeper.state.value).toMatchObject({
      phase: 'failed',
      reason: { words: { code: 'root-disputed', values: dispute } },
    })
    scene.root.set({ ...good })
    expect(await scene.seal()).toMatchObject({ phase: 'earned' })
    scene.nowMs += 400 * 86_400_000
    expect(await scene.seal()).toMatchObject({ phase: 'failed' })
    expect(scene.backend.requests).toEqual([])
  })

  it('goes on at another proxy when the contract takes back the image of the one in use, or its quote holds no more', async () => {
    const scene = await withTwo()
    const place = (): string | undefined => usedBy(scene.network.live.value)?.link.endpoint
    const listed = scene.root.value?.proxies.map(({ forClients: { host, port } }) => `${host}:${port}`)
    expect(await scene.seal()).toMatchObject({ phase: 'earned' })
    expect(place()).toBe(listed?.[0])
    expect(await scene.ask()).toBe('Hello from fake AI')
    scene.root.update((root) => root && { ...root, proxyHashes: new Set([otherImage]) })
    await expect.poll(place).toBe(listed?.[1])
    expect(await scene.seal()).toMatchObject({ phase: 'earned' })
    expect(await scene.ask()).toBe('Hello from fake AI')
    // Of no proxy the quote holds any more: there is none to go on at, and the sentence says why.
    scene.nowMs += 400 * 86_400_000
    scene.root.update((root) => root && { ...root })
    await expect.poll(() => scene.attested.state.value.reason).toMatch(/revoked certificates has expired/)
    await expect(scene.ask()).rejects.toMatchObject({ code: 'not-ready' })
    expect(scene.backend.requests).toHaveLength(2)
  })

  it('falls by itself when the contract takes an image back, before anybody asks', async () => {
    const scene = await toFall()
    expect(await scene.seal()).toMatchObject({ phase: 'earned' })
    const good = scene.root.value ?? expect.unreachable('no root')
    scene.root.set({ ...good, version: good.version + 1, workerHashes: new Set(['77'.repeat(32)]) })
    await expect
      .poll(() => scene.keeper.state.value)
      .toMatchObject({
        phase: 'failed',
        reason: { text: expect.stringMatching(/does not list (the software of this worker|what the worker runs)/) },
      })
    scene.root.set({ ...good, version: good.version + 2 })
    await expect.poll(() => scene.keeper.state.value.phase).toBe('earned')
  })

  it('is not judged before a worker offers a model, and by itself once one does', async () => {
    const scene = await ofNobody()
    await expect.poll(() => scene.network.live.value?.client.state.value.connections[0]?.phase).toBe('ready')
    await expect
      .poll(() => scene.attested.state.value)
      .toMatchObject({ state: 'starting', reason: 'No worker of Sealed offers a model at the moment.' })
    expect(scene.keeper.state.value).toEqual({ phase: 'idle' })
    await scene.addWorker()
    await expect.poll(() => scene.keeper.state.value.phase).toBe('earned')
  })

  it('is not earned by a worker that asks more than a question may cost: it would answer none', async () => {
    const scene = await tooDear()
    expect((await scene.seal()).phase).toBe('failed')
    await expect(scene.ask()).rejects.toMatchObject({ code: 'not-verified' })
    expect(scene.backend.requests).toEqual([])
  })

  it('does not exist in a network that demands no attestation', async () => {
    const scene = await ofTest()
    expect(scene.attested.state.value).toMatchObject({
      state: 'unavailable',
      reason: expect.stringContaining('Sealed demands no attestation'),
    })
    await expect.poll(() => scene.keeper.state.value.phase).toBe('failed')
    await expect(scene.keeper.permit(AbortSignal.timeout(60_000))).rejects.toMatchObject({ code: 'not-verified' })
  })
})
