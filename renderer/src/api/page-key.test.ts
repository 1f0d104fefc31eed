import { expect, it } from 'vitest'
import { pageWithKey } from '../../../preload/api/link.ts'
import { pageKeyOf } from './page-key.ts'

const key = 'k'.repeat(43)
const newer = 'n'.repeat(43)

/** A window at an address of one origin; `storage` is that of the origin, so two windows may share it. */
function windowAt(path: string, storage: Pick<Storage, 'getItem' | 'setItem'>) {
  const shown = { url: path }
  const { hash, pathname } = new URL(path, 'http://127.0.0.1:4810')
  return {
    shown,
    page: {
      location: { hash, pathname } as Location,
      history: { replaceState: (_state, _title, url) => void Object.assign(shown, { url }) } as History,
      localStorage: storage as Storage,
    },
  }
}

function storage(): Pick<Storage, 'getItem' | 'setItem'> {
  const values = new Map<string, string>()
  return { getItem: (name) => values.get(name) ?? null, setItem: (name, value) => void values.set(name, value) }
}

const forbidden: Pick<Storage, 'getItem' | 'setItem'> = {
  getItem: () => {
    throw new DOMException('no storage', 'SecurityError')
  },
  setItem: () => {
    throw new DOMException('no storage', 'SecurityError')
  },
}

it('takes the key out of the address and has it after a reload, in another tab, and newer after a new link', () => {
  const shared = storage()
  const { page, shown } = windowAt(pageWithKey(key), shared)
  const first = pageKeyOf(page)
  expect(first()).toBe(key)
  expect(shown.url).toBe('/')
  expect(pageKeyOf(windowAt('/#/earn', shared).page)()).toBe(key)
  expect(pageKeyOf(windowAt(pageWithKey(newer), shared).page)()).toBe(newer)
  expect(first()).toBe(newer)
})

it('has none where the address names none, and leaves the address of a screen alone', () => {
  for (const path of ['/', '/#/chat/new', '/#page-key=short', `/#/page-key=${key}`]) {
    const { page, shown } = windowAt(path, storage())
    expect(pageKeyOf(page)()).toBeUndefined()
    expect(shown.url).toBe(path)
  }
})

it('keeps the key as long as the page where there is no storage', () => {
  expect(pageKeyOf(windowAt(pageWithKey(key), forbidden).page)()).toBe(key)
  expect(pageKeyOf(windowAt('/', forbidden).page)()).toBeUndefined()
})
