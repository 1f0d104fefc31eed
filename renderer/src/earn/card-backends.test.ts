import { describe, expect, it } from 'vitest'
import type { Gpu } from '../../../preload/api/system.ts'
import { backendsToShow } from './card-backends.ts'

const card: Gpu = { name: 'x', vendor: 'nvidia', memoryBytes: null, driver: null, pciId: null }

describe('backendsToShow', () => {
  it('says what is used, what is ready and what is not known, and leaves out what cannot be', () => {
    const backends = { cuda: true, vulkan: null, metal: false }
    expect(backendsToShow({ ...card, backends })).toEqual([
      { name: 'CUDA', state: 'ready' },
      { name: 'Vulkan', state: 'unknown' },
    ])
    expect(backendsToShow({ ...card, backends, usedBackend: 'vulkan' })).toEqual([
      { name: 'CUDA', state: 'ready' },
      { name: 'Vulkan', state: 'used' },
    ])
    expect(backendsToShow({ ...card, backends: { cuda: false, vulkan: false, metal: false } })).toEqual([])
  })

  it('says nothing where nobody looked', () => expect(backendsToShow(card)).toBeUndefined())
})
