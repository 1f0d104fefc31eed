import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Mutation } from './mutation.ts'

const lists = new URL('./lists/', import.meta.url)
const root = new URL('../../', import.meta.url)

// The long run (`npm run test:mutations`) takes each of them out and needs hours; a list that has fallen behind the code shows here.
it.each(readdirSync(lists).sort())('each mutation of %s fits one place of the code as it is', async (file) => {
  const { mutations } = (await import(new URL(file, lists).href)) as { readonly mutations: readonly Mutation[] }
  expect(mutations.length).toBeGreaterThan(10)
  const lost = mutations.filter(({ file, find }) => readFileSync(new URL(file, root), 'utf8').split(find).length !== 2)
  expect(lost.map(({ name }) => name)).toEqual([])
})

it.each(readdirSync(lists).sort())('each mutation of %s changes something', async (file) => {
  const { mutations } = (await import(new URL(file, lists).href)) as { readonly mutations: readonly Mutation[] }
  expect(mutations.filter(({ find, replace }) => find === replace)).toEqual([])
})
