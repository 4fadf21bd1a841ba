#pragma once

#include <curl/curl.h>

#include "engraft/base/shared_library.h"

namespace engraft {

/// libcurl, and with it thirty libraries of protocols and logins: loaded when a server is asked.
inline constexpr SharedLibrary kLibCurl{ENGRAFT_LIBCURL};
ENGRAFT_LOADED_LATER(kLibCurl, curl_easy_cleanup);
ENGRAFT_LOADED_LATER(kLibCurl, curl_easy_getinfo);
ENGRAFT_LOADED_LATER(kLibCurl, curl_easy_init);
ENGRAFT_LOADED_LATER(kLibCurl, curl_easy_setopt);
ENGRAFT_LOADED_LATER(kLibCurl, curl_easy_strerror);
ENGRAFT_LOADED_LATER(kLibCurl, curl_getdate);
ENGRAFT_LOADED_LATER(kLibCurl, curl_global_init);
ENGRAFT_LOADED_LATER(kLibCurl, curl_multi_add_handle);
ENGRAFT_LOADED_LATER(kLibCurl, curl_multi_cleanup);
ENGRAFT_LOADED_LATER(kLibCurl, curl_multi_info_read);
ENGRAFT_LOADED_LATER(kLibCurl, curl_multi_init);
ENGRAFT_LOADED_LATER(kLibCurl, curl_multi_perform);
ENGRAFT_LOADED_LATER(kLibCurl, curl_multi_poll);
ENGRAFT_LOADED_LATER(kLibCurl, curl_multi_remove_handle);
ENGRAFT_LOADED_LATER(kLibCurl, curl_multi_wakeup);
ENGRAFT_LOADED_LATER(kLibCurl, curl_slist_append);
ENGRAFT_LOADED_LATER(kLibCurl, curl_slist_free_all);

}  // namespace engraft
