import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { Cell } from '@ton/core'
import { getTolkCompilerVersion, runTolkCompiler } from '@ton/tolk-js'

const NAMES = ['root', 'proxy', 'worker', 'client', 'wallet']
const sourceDir = new URL('../contracts/', import.meta.url)
const buildDir = new URL('build/', sourceDir)

const compiler = await getTolkCompilerVersion()
mkdirSync(buildDir, { recursive: true })
for (const name of NAMES) {
  const target = new URL(`${name}.json`, buildDir)
  const built = readBuilt(target)
  if (built !== null && built.sources !== null && fingerprint(built.files) === built.sources) continue
  const result = await runTolkCompiler({
    entrypointFileName: `${name}.tolk`,
    fsReadCallback: (path) => readFileSync(new URL(path, sourceDir), 'utf8'),
  })
  if (result.status === 'error') {
    console.error(result.message)
    process.exit(1)
  }
  const code = Cell.fromBase64(result.codeBoc64)
  const files = result.sourcesSnapshot.map((source) => source.filename).filter((file) => !file.startsWith('@stdlib/'))
  const output = { boc: code.toBoc().toString('hex'), hash: code.hash().toString('hex'), files, sources: fingerprint(files) }
  // Written aside and renamed: a build that was cut off must not look like a finished one.
  const draft = new URL(`${name}.json.draft`, buildDir)
  writeFileSync(draft, `${JSON.stringify(output, null, 2)}\n`)
  renameSync(draft, target)
  console.log(`${name}: ${code.hash().toString('hex')}`)
}

/** Hash of the compiler's version and of every source that the contract is made of; null when one is gone. */
function fingerprint(files: readonly string[]): string | null {
  const hash = createHash('sha256').update(compiler)
  try {
    for (const file of files) hash.update(file).update(readFileSync(new URL(file, sourceDir)))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  return hash.digest('hex')
}

/** What an earlier build left; null when there is none or it is not readable. */
function readBuilt(target: URL): { files: string[]; sources: string | null } | null {
  try {
    const built = JSON.parse(readFileSync(target, 'utf8')) as { files?: unknown; sources?: unknown }
    if (!Array.isArray(built.files) || typeof built.sources !== 'string') return null
    return { files: built.files.map(String), sources: built.sources }
  } catch {
    return null
  }
}
