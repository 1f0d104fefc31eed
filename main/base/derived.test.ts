import { describe, expect, it } from 'vitest'
import { Derived } from './derived.ts'

function counted() {
  let [source, computed] = [1, 0]
  const derived = new Derived(() => {
    computed++
    return { source }
  })
  return {
    derived,
    computed: () => computed,
    set: (next: number) => {
      source = next
      derived.changed()
    },
  }
}

describe('a derived value', () => {
  it('is computed when it is read, and not before', async () => {
    const { derived, computed, set } = counted()
    expect(derived.value).toEqual({ source: 1 })
    for (let next = 2; next < 50; next++) set(next)
    await Promise.resolve()
    expect(computed()).toBe(1)
    expect(derived.value).toEqual({ source: 49 })
    expect(derived.value).toBe(derived.value)
    expect(computed()).toBe(2)
  })

  it('tells its watchers once for all changes of a turn, and none that has left', async () => {
    const { derived, computed, set } = counted()
    const seen: number[] = []
    const stop = derived.onChange(({ source }) => seen.push(source))
    set(2)
    set(3)
    expect(seen).toEqual([])
    await Promise.resolve()
    expect(seen).toEqual([3])
    stop()
    stop()
    set(4)
    await Promise.resolve()
    expect(seen).toEqual([3])
    expect(computed()).toBe(2)
  })

  it('gives a reader the present value and the newer ones', async () => {
    const { derived, set } = counted()
    set(2)
    const control = new AbortController()
    const seen: number[] = []
    for await (const { source } of derived.values(control.signal)) {
      seen.push(source)
      if (source === 2) set(3)
      else control.abort()
    }
    expect(seen).toEqual([2, 3])
  })
})
