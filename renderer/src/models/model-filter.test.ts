import { describe, expect, it } from 'vitest'
import type { ModelFit } from '../../../preload/api/model-fit.ts'
import type { ModelState } from '../../../preload/api/system.ts'
import { contextText, filterModels, type modelFilters } from './model-filter.ts'

const fitting = (word: ModelFit['word']): ModelFit => ({
  ...{ word, device: 'gpu', deviceBytes: 16e9, weightsBytes: 9e9, contextBytes: 2e9, needBytes: 11e9 },
  ...{ contextTokens: 8192, split: null, rough: false },
})
const model = (name: string, more: Partial<ModelState> = {}): ModelState => ({
  ...{ id: name, name, licence: 'Apache-2.0', parameters: '8B', quantization: 'Q4_K_M', sizeBytes: null, contextTokens: null },
  ...{ origin: 'catalog', status: 'absent', sha256: null, path: null, loaded: false },
  ...more,
})
const models = [
  model('Qwen3 8B', { fit: fitting('well'), abilities: { reasoning: true, tools: true } }),
  model('Gemma 3 27B', { fit: fitting('with-ram'), licence: 'Gemma', abilities: { reasoning: null, tools: null } }),
  model('Llama 70B', { fit: fitting('too-big') }),
  model('Unknown'),
  model('Here', { path: '/models/here.gguf', status: 'installed', fit: fitting('tight') }),
]
const names = (filter: (typeof modelFilters)[number], words = ''): string[] =>
  filterModels(models, filter, words).map(({ name }) => name)

describe('filterModels', () => {
  it('shows all, what is here first', () => {
    expect(names('all')).toEqual(['Here', 'Qwen3 8B', 'Gemma 3 27B', 'Llama 70B', 'Unknown'])
  })

  it('counts as fitting what runs here, also with RAM, and not what nobody knows', () => {
    expect(names('fits')).toEqual(['Here', 'Qwen3 8B', 'Gemma 3 27B'])
  })

  it('takes an ability only where somebody said so', () => {
    expect(names('reasoning')).toEqual(['Qwen3 8B'])
    expect(names('tools')).toEqual(['Qwen3 8B'])
    expect(names('here')).toEqual(['Here'])
  })

  it('finds every word anywhere, in any order and case', () => {
    expect(names('all', 'APACHE qwen')).toEqual(['Qwen3 8B'])
    expect(names('all', ' gemma  27')).toEqual(['Gemma 3 27B'])
    expect(names('all', 'qwen gemma')).toEqual([])
  })
})

describe('contextText', () => {
  it.each([
    [512, '512'],
    [2048, '2k'],
    [131_072, '128k'],
  ])('%d is %s', (tokens, text) => expect(contextText(tokens)).toBe(text))
})
