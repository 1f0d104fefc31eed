import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const root = new URL('../', import.meta.url)
const text = (path: string): string => readFileSync(new URL(path, root), 'utf8')
/** Lines may be broken anywhere, also inside a name. */
const page = text('docs/threat-model.md').replaceAll(/\s+/g, ' ')
const ours = readdirSync(root, { recursive: false, withFileTypes: true })
  .filter((entry) => entry.isDirectory() && ['main', 'renderer', 'preload', 'contracts', 'e2e', 'scripts'].includes(entry.name))
  .flatMap(({ name }) =>
    readdirSync(new URL(`${name}/`, root), { recursive: true }).map((path) => `${name}/${path}`.replaceAll('\\', '/')),
  )

/** A name may stand for the file alone (`judge.test.ts`), or with its path. */
const filesOf = (name: string): string[] => ours.filter((path) => path === name || path.endsWith(`/${name}`))
const testFile = /`([\w./-]+\.(?:test\.tsx?|journey\.ts))`/g

/** Each file of tests that the page names, with the names of tests that follow it up to the next file. */
function claims(): { readonly file: string; readonly names: readonly string[] }[] {
  const found = [...page.matchAll(testFile)]
  return found.map((match, index) => {
    const until = found[index + 1]?.index ?? page.length
    // The names belong to the file as long as nothing but names and commas stands between.
    const behind = page.slice(match.index + match[0].length, until)
    const names = /^(?:[ ,]*"([^"]+)"(?: and)?)+/.exec(behind)?.[0] ?? ''
    return { file: match[1] ?? '', names: [...names.matchAll(/"([^"]+)"/g)].map(([, name = '']) => name) }
  })
}

const placeholder = /%[sj]|\$\{[^}]*\}/g

/** Whether a test or a group of the source has this name: as it stands, or by a title whose places are filled from a table. */
function hasTest(source: string, name: string): boolean {
  if (source.includes(name)) return true
  return [...source.matchAll(/(['`"])((?:\\.|(?!\1)[^\\\n])+)\1/g)]
    .map(([, , title = '']) => title.replaceAll(/\\(.)/g, '$1'))
    .filter((title) => title.search(placeholder) >= 0 && title.replaceAll(placeholder, '').trim().length >= 8)
    .some((title) => {
      const fixed = title.split(placeholder).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      return new RegExp(`^${fixed.join('.+')}$`).test(name)
    })
}

describe('the threat model', () => {
  it('names a test for claims in each of its parts', () => {
    expect(claims().length).toBeGreaterThan(25)
    expect(claims().filter(({ names }) => names.length > 0).length).toBeGreaterThan(12)
  })

  it.each(claims().map(({ file, names }) => [file, names] as const))('names tests that there are: %s %j', (file, names) => {
    const files = filesOf(file)
    expect(files, `${file} is not one file`).toHaveLength(1)
    const source = text(files[0] ?? '')
    for (const name of names) expect(hasTest(source, name), `${file} has no test "${name}"`).toBe(true)
    expect(hasTest(source, 'nobody ever wrote a test of this name')).toBe(false)
  })

  it('names files and folders that there are', () => {
    const named = [...page.matchAll(/`((?:main|renderer|preload|contracts|e2e|scripts)\/[\w./-]+?)\/?`/g)].map(
      ([, path = '']) => path,
    )
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((path) => !ours.includes(path))).toEqual([])
  })
})
