import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { downloadHttp } from '../download.ts'
import type { DownloadOptions, DownloadProgress } from '../download-options.ts'
import { FaultyServer } from './faulty-server.ts'

/** What lies at `/file` of each scene's server. */
export const file = randomBytes(1_000_000)

/** A server with one file, and the folder that it is loaded to. */
export interface DownloadScene {
  readonly server: FaultyServer
  readonly folder: string
  readonly partPath: string
  /** What downloads have told so far. */
  readonly progress: readonly DownloadProgress[]
  download(options?: Partial<DownloadOptions>): Promise<number>
  /** Whether the part is the file, byte by byte. */
  equalsFile(): Promise<boolean>
  close(): Promise<void>
}

export async function downloadScene(): Promise<DownloadScene> {
  const folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-download-'))
  const partPath = join(folder, 'file.part')
  const progress: DownloadProgress[] = []
  const server = new FaultyServer()
  server.put('/file', file)
  await server.start()
  return {
    server,
    folder,
    partPath,
    progress,
    download: (options = {}) =>
      downloadHttp({
        url: server.url('/file'),
        source: 'the test server',
        partPath,
        sizeBytes: file.length,
        hashKnown: true,
        signal: new AbortController().signal,
        onProgress: (value) => progress.push(value),
        connectTimeoutMs: 10_000,
        stallTimeoutMs: 10_000,
        retryPauseMs: 5,
        ...options,
      }),
    equalsFile: async () => (await readFile(partPath)).equals(file),
    close: async () => {
      server.stop()
      await rm(folder, { recursive: true })
    },
  }
}
