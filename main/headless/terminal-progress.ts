import type { Handlers } from '../api-link.ts'

/**
 * Prints one line for each part of the app as it becomes ready or fails, and every tenth of a download.
 * Ends when all parts are ready; while one has failed it goes on, because the user may mend it on the page.
 */
export async function showProgress(handlers: Handlers, print: (line: string) => void): Promise<void> {
  const told = new Map<string, string>()
  const done = new AbortController()

  const downloads = async (): Promise<void> => {
    for await (const models of handlers.streams['models.list']({}, done.signal)) {
      for (const model of models) {
        if (model.status !== 'downloading' || !model.progress) continue
        const { receivedBytes, totalBytes, source } = model.progress
        const tenths = totalBytes ? Math.floor((receivedBytes / totalBytes) * 10) : 0
        const line = `  … ${model.name} from ${source}: ${(receivedBytes / 1e6).toFixed(0)}${totalBytes ? ` of ${(totalBytes / 1e6).toFixed(0)}` : ''} MB`
        if (told.get(model.id) === `${source}${tenths}`) continue
        if (model.problem && told.get(`why ${model.id}`) !== model.problem)
          print(`  ! ${model.name}: ${model.problem} Fetching it again.`)
        told.set(`why ${model.id}`, model.problem ?? '')
        told.set(model.id, `${source}${tenths}`)
        print(line)
      }
    }
  }

  const parts = async (): Promise<void> => {
    for await (const { parts, diskFull } of handlers.streams['app.start']({}, done.signal)) {
      const disk = diskFull ? `full since ${diskFull.sinceMs}` : 'room'
      if (diskFull && told.get('disk') !== disk)
        print(`  ✗ The disk is full: free some space where ${diskFull.folder} lies, and the app goes on by itself.`)
      told.set('disk', disk)
      for (const part of parts) {
        const now = `${part.state} ${part.state === 'ready' || part.state === 'failed' ? (part.detail ?? '') : ''}`
        if (told.get(part.id) === now || part.state === 'waiting' || part.state === 'working') continue
        told.set(part.id, now)
        print(`  ${part.state === 'ready' ? '✓' : '✗'} ${part.title}${part.detail ? `: ${part.detail}` : ''}`)
      }
      if (parts.every((part) => part.state === 'ready')) break
    }
    done.abort()
  }

  await Promise.all([downloads(), parts()])
}
