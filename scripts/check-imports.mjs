/**
 * Checks the import rules of .dependency-cruiser.cjs, and that the check saw the project: dependency-cruiser exits 0 when its parser
 * cannot read TypeScript and it looked at nothing, so the number of files it read is compared with the files there are.

 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { cruise } from 'dependency-cruiser'
import { root } from './setup.mjs'

const folders = ['main', 'preload', 'renderer', 'contracts', 'e2e']
process.chdir(root)

const sources = folders.flatMap((folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.parentPath.includes(`contracts${'/'}build`))
    .map((entry) => join(entry.parentPath, entry.name)),
)

const { default: rules } = await import('../.dependency-cruiser.cjs')
const { output } = await cruise(folders, { ...rules.options, ruleSet: { forbidden: rules.forbidden }, validate: true })

const seen = new Set(output.modules.map((module) => module.source))
const unseen = sources.filter((source) => !seen.has(source.replaceAll('\\', '/')))
if (sources.length === 0 || unseen.length > 0) {
  console.error(
    `The import check did not read ${unseen.length} of ${sources.length} files, e.g. ${unseen.slice(0, 3).join(', ')}`,
  )
  process.exit(1)
}
const imports = output.modules.reduce((sum, module) => sum + module.dependencies.length, 0)
if (imports < sources.length) {
  console.error(`The import check found only ${imports} imports in ${sources.length} files: it cannot have read them.`)
  process.exit(1)
}
for (const { rule, from, to } of output.summary.violations) console.error(`${rule.name}: ${from} → ${to}`)
if (output.summary.violations.length > 0) process.exit(1)
console.log(`${sources.length} files, ${imports} imports, no rule broken`)
