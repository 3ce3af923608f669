// The message of `disk.create` and its event, which is the CloudEvent that the measured program publishes.

#include "worker.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

// Copies the value of a field of a flat JSON object: a text without escapes, or a number. No JSON parser, but enough
// for the messages that are measured.
static void read_field(const char *json, const char *name, char *value, size_t capacity) {
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *start = strstr(json, quoted);
    if (!start) fail("a job has no %s", name);
    start += strlen(quoted);
    start += strspn(start, " ");
    bool is_text = *start == '"';
    start += is_text;
    size_t length = is_text ? strcspn(start, "\"\\") : strspn(start, "0123456789");
    if (length == 0 || length >= capacity || (is_text && start[length] != '"')) fail("the %s of a job is odd", name);
    memcpy(value, start, length);
    value[length] = 0;
}

static void write_event(struct job *job) {
    char moment[32];
    time_t seconds = time(NULL);
    struct tm parts;
    strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
    snprintf(job->body, sizeof job->body,
        "{\"specversion\":\"1.0\",\"source\":\"/gpudev-worker\",\"datacontenttype\":\"application/json\","
        "\"id\":\"%s.completed\",\"type\":\"disk.create.completed\",\"subject\":\"disk/%s/%s\",\"time\":\"%s\","
        "\"jobid\":\"%s\",\"data\":{\"disk_id\":\"%s\",\"user_id\":\"%s\",\"disk_name\":\"%s\",\"size_gb\":%s}}",
        job->id, job->user, job->disk, moment, job->id, job->id, job->user, job->disk, job->size);
}

void read_job(struct job *job, const char *json) {
    read_field(json, "user_id", job->user, sizeof job->user);
    read_field(json, "disk_name", job->disk, sizeof job->disk);
    read_field(json, "size_gb", job->size, sizeof job->size);
    write_event(job);
}
