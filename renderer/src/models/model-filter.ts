import type { ModelState } from '../../../preload/api/system.ts'

export const modelFilters = ['all', 'fits', 'here', 'reasoning', 'tools'] as const
export type ModelFilter = (typeof modelFilters)[number]

function passes(model: ModelState, filter: ModelFilter): boolean {
  switch (filter) {
    case 'all':
      return true
    case 'fits':
      return model.fit !== undefined && model.fit.word !== 'too-big'
    case 'here':
      return model.path !== null
    case 'reasoning':
      return model.abilities?.reasoning === true
    case 'tools':
      return model.abilities?.tools === true
  }
}

/** Models of a filter whose name, kind or licence holds every word of `words`, in any order and case. What is here comes first. */
export function filterModels(models: readonly ModelState[], filter: ModelFilter, words: string): readonly ModelState[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
  const found = models.filter((model) => {
    const text = [model.name, model.parameters, model.quantization, model.licence].join(' ').toLowerCase()
    return passes(model, filter) && wanted.every((word) => text.includes(word))
  })
  return found.toSorted((a, b) => Number(b.path !== null) - Number(a.path !== null))
}

/** "8k" as people say the length of a context. */
export const contextText = (tokens: number): string => (tokens >= 1024 ? `${Math.round(tokens / 1024)}k` : String(tokens))
