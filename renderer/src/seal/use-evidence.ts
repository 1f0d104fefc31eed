import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import { type Call, useCall } from '../api/use-call.ts'
import { saveFile } from '../ui/save-file.ts'

/** Saves what the last check of a level found as a file that `cocoon-desktop verify` reads. */
export function useEvidence(level: PrivacyLevel): { save(): Promise<void>; error: Call<'chat.evidence'>['error'] } {
  const call = useCall('chat.evidence')
  return {
    save: async () => {
      const file = await call.run({ level })
      if (file) saveFile(file.fileName, file.json, 'application/json')
    },
    error: call.error,
  }
}
