import { appendFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig, mergeConfig, type Plugin } from 'vitest/config'
import base from '../../vitest.config.ts'
import type { Mutation } from './mutation.ts'

/** Changes one source on its way into the test; the file itself stays as it is. */
function mutate({ file, find, replace }: Mutation, applied: string): Plugin {
  const path = fileURLToPath(new URL(`../../${file}`, import.meta.url))
  return {
    name: 'mutation',
    enforce: 'pre',
    transform(code, id) {
      if (id.split('?')[0] !== path) return null
      if (code.split(find).length !== 2) throw new Error(`the mutation does not apply to ${file}`)
      appendFileSync(applied, '.')
      return { code: code.replace(find, () => replace), map: null }
    },
  }
}

const { COCOON_MUTATION, COCOON_MUTATION_APPLIED = '' } = process.env
const plugins = COCOON_MUTATION === undefined ? [] : [mutate(JSON.parse(COCOON_MUTATION) as Mutation, COCOON_MUTATION_APPLIED)]

export default mergeConfig(
  base,
  defineConfig({
    plugins,
    root: fileURLToPath(new URL('../..', import.meta.url)),
    test: { maxWorkers: 1, testTimeout: 30_000, fsModuleCache: false },
  }),
)
