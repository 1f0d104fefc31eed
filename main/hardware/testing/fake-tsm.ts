import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TsmFiles, tsmFiles } from '../tsm-report.ts'

export interface FakeTsm extends TsmFiles {
  readonly folder: string
}

/** A folder whose files behave as the kernel's do: a counter that goes up with each writing, and a report for what was written. */
export function fakeTsm(
  provider: string,
  report: (reportData: Uint8Array) => Uint8Array,
  { beforeReading = () => undefined }: { readonly beforeReading?: (folder: string, entry: string) => void } = {},
): FakeTsm {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-tsm-'))
  const real = tsmFiles(folder)
  const file = (entry: string, name: string): string => join(folder, entry, name)
  return {
    ...real,
    folder,
    create: (entry) => {
      real.create(entry)
      writeFileSync(file(entry, 'generation'), '0\n')
      writeFileSync(file(entry, 'provider'), `${provider}\n`)
      writeFileSync(file(entry, 'auxblob'), 'certificates')
    },
    write: (entry, name, bytes) => {
      real.write(entry, name, bytes)
      writeFileSync(file(entry, 'generation'), `${Number(readFileSync(file(entry, 'generation'), 'utf8')) + 1}\n`)
      writeFileSync(file(entry, 'outblob'), report(bytes))
      beforeReading(folder, entry)
    },
    // The kernel's files vanish with their folder.
    remove: (entry) => rmSync(join(folder, entry), { recursive: true }),
  }
}
