import type { Call } from '../api/use-call.ts'
import { saveFile } from '../ui/save-file.ts'

/** Asks the core for the chat as Markdown and hands it to the user as a file. */
export async function exportChat(id: string, run: Call<'chat.export'>['run']): Promise<void> {
  const file = await run({ id })
  if (file) saveFile(file.fileName, file.markdown, 'text/markdown')
}
