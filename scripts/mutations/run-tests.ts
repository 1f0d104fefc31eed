import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Mutation } from './mutation.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface TestRun {
  /** By whole name; tests that did not run are left out. */
  readonly results: ReadonlyMap<string, 'passed' | 'failed'>
  /** Whether the mutation reached the code of a test. */
  readonly applied: boolean
  readonly output: string
}

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

/** Runs the tests of one file that have these names, with or without a mutation. */
export async function runTests(testFile: string, names: readonly string[], mutation?: Mutation): Promise<TestRun> {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-mutation-'))
  const report = join(folder, 'report.json')
  const applied = join(folder, 'applied')
  // The pattern is compared with names that have a sign between groups, the report has a space there.
  const patternOf = (name: string): string => name.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&').replaceAll(' ', '( | > )')
  const pattern = `^(${names.map(patternOf).join('|')})$`
  const args = ['run', '--config', join(root, 'scripts/mutations/vitest.config.ts'), testFile, '-t', pattern]
  const reporters = ['--reporter=json', `--outputFile.json=${report}`]
  try {
    const output = await finished([join(root, 'node_modules/vitest/vitest.mjs'), ...args, ...reporters], {
      ...(mutation && { COCOON_MUTATION: JSON.stringify(mutation), COCOON_MUTATION_APPLIED: applied }),
    })
    const { testResults } = existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as Report) : { testResults: [] }
    const results = new Map<string, 'passed' | 'failed'>()
    for (const { fullName, status } of testResults.flatMap(({ assertionResults }) => assertionResults))
      if (status === 'passed' || status === 'failed') results.set(fullName, status)
    return { results, applied: existsSync(applied), output }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function finished(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...env, NO_COLOR: '1' }, timeout: 120_000 })
    const parts: Buffer[] = []
    child.stdout.on('data', (part: Buffer) => parts.push(part))
    child.stderr.on('data', (part: Buffer) => parts.push(part))
    child.on('close', () => resolve(Buffer.concat(parts).toString('utf8')))
  })
}
