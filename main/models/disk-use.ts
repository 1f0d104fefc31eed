import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelStorage } from '../../preload/api/model-fit.ts'

/** What the models take on their disk, and what is free there. */
export async function diskUse(folder: string): Promise<ModelStorage> {
  let usedBytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    // A file that went away in between takes nothing.
    usedBytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0
  }
  const disk = await statfs(folder).catch(() => undefined)
  return { folder, usedBytes, freeBytes: disk === undefined ? null : disk.bavail * disk.bsize }
}
