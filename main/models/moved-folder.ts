import { isAbsolute, join, relative } from 'node:path'
import { Failure } from '../base/failure.ts'

/** Where a path is after the files of `from` went to `to`; a path outside of `from` is where it was. */
export function movedPath(path: string, from: string, to: string): string {
  const name = relative(from, path)
  return name === '' || name === '..' || name.startsWith('../') || name.startsWith('..\\') || isAbsolute(name)
    ? path
    : join(to, name)
}

export function modelsMoving(): Failure<'models-moving'> {
  return new Failure('models-moving', 'The models are being moved to another folder.', {
    advice: 'Wait until that is done, or cancel it in Settings > Models and storage.',
    retryable: true,
  })
}

export function folderAway(folder: string): Failure<'models-folder-away'> {
  return new Failure('models-folder-away', `The models were in ${folder}, and that folder is not there.`, {
    advice: 'Connect its disk and look again in Settings > Models and storage, or go on there with a new folder.',
    retryable: true,
    values: { folder },
  })
}
