import { describe, expect, it } from 'vitest'
import { modelIdentity, ownOrigin } from './identity.ts'

const sha = 'ab'.repeat(32)

describe('modelIdentity', () => {
  it('has the quantization in the base name, once', () => {
    const origin = { repo: 'maker/Model-GGUF', commit: 'c0ffee' }
    expect(modelIdentity(origin, 'Model-1B.Q4_1.gguf', 'Q4_1', sha)).toEqual({
      baseName: 'maker/Model-GGUF/Model-1B-Q4_1',
      fullName: `maker/Model-GGUF/Model-1B-Q4_1@c0ffee:${sha}`,
    })
    expect(modelIdentity(origin, 'Model-1B.gguf', 'F16', sha).baseName).toBe('maker/Model-GGUF/Model-1B-F16')
    expect(modelIdentity(origin, 'model-1b-q8_0.gguf', 'Q8_0', sha).baseName).toBe('maker/Model-GGUF/model-1b-Q8_0')
  })
  it('keeps separators out of the parts', () => {
    expect(modelIdentity(ownOrigin, '../my @model: x.gguf', null, sha).fullName).toBe(`own/.._my_model_x-unknown@local:${sha}`)
  })
  it('needs a real hash', () => {
    expect(() => modelIdentity(ownOrigin, 'a.gguf', 'F16', 'abc')).toThrow('hash')
  })
})
