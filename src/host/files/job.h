/* src/host/files/job.h - one transfer of a file session, in either direction
 * Loop thread. All paths are the desktop user's. */
#pragma once
#include "host/files/listing.h"
#include <stdbool.h>
#include <stdint.h>

struct px_session;
struct px_job;

/* Download: what is below its path is to be read first. NULL: an error was answered. */
struct px_job *px_job_download(struct px_session *s, const Pxs__FileSend *m);
const char *px_job_path(const struct px_job *j);
uint64_t px_job_serial(const struct px_job *j); /* never again in this program */
/* The download's files, whose list it takes over: they are told, then the client has its word per
 * file (or not, for clients too old to be asked). Returns whether the job goes on. */
bool px_job_listed(struct px_job *j, struct px_listing *l);
/* Upload; the client begins. NULL: an error was answered. */
struct px_job *px_job_upload(struct px_session *s, const Pxs__FileReceive *m);
void px_job_free(struct px_job *j);

int32_t px_job_id(const struct px_job *j);
/* Each returns whether the job goes on. */
bool px_job_confirm(struct px_job *j, const Pxs__FileSendConfirm *m);
bool px_job_digest(struct px_job *j, const Pxs__FileDigest *m);
bool px_job_block(struct px_job *j, const Pxs__FileBlock *m);
bool px_job_done(struct px_job *j, const Pxs__FileDone *m);
/* The client skipped its only file, or cannot read one: its window waits for the same word back. */
bool px_job_error(struct px_job *j, const Pxs__FileError *m);
/* Sends one block, if this is a download and it is its turn; *sent tells. */
bool px_job_pump(struct px_job *j, bool *sent);
void px_job_cancel(struct px_job *j); /* also removes what an upload left half done */

/* answers */
void px_files_send_error(struct px_session *s, int32_t id, int32_t file_num, const char *text);
void px_files_send_done(struct px_session *s, int32_t id, int32_t file_num);
void px_files_send_response(struct px_session *s, Pxs__FileResponse *r);

/* paths, as clients write them */
const char *px_files_home(void); /* the program's; a text for ever, or until getpwuid(3) */
/* Absolute, the caller's; NULL: holds a NUL or is too long. "" is the home directory. */
char *px_files_path(ProtobufCBinaryData p);
